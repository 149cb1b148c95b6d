"""How large numbers may be. What one request cannot hold is refused before anything is spoken."""

import math

from llasa_core.errors import UserError

MOST_CANDIDATES = 4096
"""Utterances of one request, running or complete. Each holds up to 20 s of audio (1.3 MB) beside its keys
and values, so that 4,096 fill 5 GiB, and a tree whose beams end early twice that; the paper's largest search,
16 beams of 16, has 256."""
LARGEST = 2**53
"""Of all other whole numbers: above it a float no longer tells neighbours apart."""


def check_range(
    where: str, value: float, least: float | None = None, most: float | None = None, *, whole: bool = False
) -> None:
    """Raises UserError, which begins with `where`, for what is no number or out of range; both bounds are
    allowed.

    A whole number has to fit into 54 bits; without bounds any other number has to be finite.
    """
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise UserError(f"{where}: has to be a {'whole ' if whole else ''}number")
    least = -LARGEST if least is None else least
    most = LARGEST if most is None else most
    if not value >= least:
        raise UserError(f"{where}: has to be at least {shown(least)}")
    if not value <= most:
        raise UserError(f"{where}: has to be at most {shown(most)}")


def check_candidates(name: str, count: int) -> None:
    """Raises UserError if one request cannot hold so many candidates; `name` says what makes them so many."""
    if count > MOST_CANDIDATES:
        raise UserError(
            f"{name} has up to {shown(count)} candidates: one request holds at most {MOST_CANDIDATES}"
        )


def shown(number: object) -> str:
    """A number of any size in a few characters; anything else as Python writes it, cut after 40."""
    if isinstance(number, int) and not isinstance(number, bool) and number.bit_length() > 64:
        return f"{'-' if number < 0 else ''}1e{int(number.bit_length() * math.log10(2))}"
    text = f"{number:g}" if isinstance(number, float) else str(number)
    return text if len(text) <= 40 else text[:40] + "..."
