"""The bridge to ragas."""
