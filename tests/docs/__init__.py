"""README and docs: what they tell a reader to type works."""
