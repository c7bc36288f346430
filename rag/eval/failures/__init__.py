"""Where a wrong answer went wrong."""
