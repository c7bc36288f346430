"""Hits -> an answer whose every sentence is cited."""
