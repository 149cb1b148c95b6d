"""A search as one HTML page: its tree, its clips, its verifiers and judges."""
