"""Errors that name what a user did and how to put it right."""


class VerifierError(ValueError):
    """A verifier was asked for, or asked to judge, something that it cannot: one line with cause and cure."""
