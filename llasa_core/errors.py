"""Errors that a user can act on."""


class UserError(ValueError):
    """Bad input or a bad model folder: one line that names the cause and the cure."""
