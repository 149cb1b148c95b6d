"""What a search may spend, and what it spent."""
