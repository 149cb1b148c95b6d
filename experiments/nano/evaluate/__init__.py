"""The figures of the nano family's model cards."""
