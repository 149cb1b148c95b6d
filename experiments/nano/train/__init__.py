"""The trainings of the nano family, one file for each model."""
