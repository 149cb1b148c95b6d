"""A search as one HTML page: its tree, its recordings, its verifiers and judges."""
