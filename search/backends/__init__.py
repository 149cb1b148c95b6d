"""Backends carry out what strategies ask for: in this process, or in actors of Ray."""
