"""How far numbers over questions can be trusted, and what two runs differ in."""
