"""Errors that a user can act on, and the words that they share."""

import difflib
from collections.abc import Iterable


class LlasaError(ValueError):
    """The root of all errors that a user can act on: one line that names the cause and the cure."""


class UserError(LlasaError):
    """Bad input, or a bad model folder."""


def first_line(error: BaseException) -> str:
    """The first line of what a library says, without the full stop; the kind of error if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".:") if lines else type(error).__name__


def one_line(error: BaseException) -> str:
    """All that an error says, in one line of at most 300 characters; the kind of error if it says nothing."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """What to add to an error about an unknown name: `: did you mean 'x'? (there are x, y)`."""
    names = sorted(known)
    if not names:
        return ": there are none"
    folded = {known_name.lower(): known_name for known_name in names}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.5)
    guess = f"did you mean {folded[close[0]]!r}? " if close else ""
    return f": {guess}(there {'is' if len(names) == 1 else 'are'} {', '.join(names)})"
