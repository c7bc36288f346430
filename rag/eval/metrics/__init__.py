"""The numbers that one answer is given, each by its published formula."""
