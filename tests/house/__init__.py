"""The size and shape of a source tree in figures: `make house`."""
