"""What the questions of a running system tell: drift, windows, ratings."""
