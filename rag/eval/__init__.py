"""Runs and answers to numbers. Nothing here knows how hits or answers are made."""
