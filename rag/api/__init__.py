"""The doors: the command line and the service over one engine."""
