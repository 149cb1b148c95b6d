"""EPUB and (X)HTML as a book."""
