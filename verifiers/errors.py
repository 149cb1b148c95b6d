"""Errors that name what a user did and how to put it right."""

from llasa_core.errors import LlasaError


class VerifierError(LlasaError):
    """A verifier was asked for, or asked to judge, something that it cannot."""
