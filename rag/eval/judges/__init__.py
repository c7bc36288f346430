"""Judges: what gives the verdicts that metrics of answers are worked out from."""
