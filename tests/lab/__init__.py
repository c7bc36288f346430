"""The laboratory: what a crash, a damaged file and a full disk leave of an index, and of its peers."""
