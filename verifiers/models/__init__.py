"""The verifiers, one file for each model."""
