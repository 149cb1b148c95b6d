"""Searches as an earlier version did them, and the command that compares: `python -m tests.recorded`."""
