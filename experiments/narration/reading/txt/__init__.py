"""Plain text as a book."""
