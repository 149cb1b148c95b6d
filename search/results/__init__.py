"""What a search returns: candidates, scores, trace and manifest."""
