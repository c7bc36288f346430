"""Chunks -> something that can be searched, and is saved."""
