"""Scores that a sweep's candidates get when they are measured again, and what these tell of its verifiers."""
