"""What an evaluation leaves: lines of results, a summary, a page and Markdown."""
