"""Runs over data sets: rows in, append-only records and a table out."""
