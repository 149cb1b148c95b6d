"""What verifiers have in common: gates, windows, transcripts, similarity, strict loading."""
