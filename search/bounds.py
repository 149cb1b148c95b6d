"""How large numbers may be. What one request cannot hold is refused before anything is spoken."""

import math

from llasa_core.errors import UserError

MOST_CANDIDATES = 4096
"""Utterances of one request, running or complete. Each holds up to 20 s of audio (1.3 MB) beside its keys
and values, so that 4,096 fill 5 GiB; the paper's largest search, 16 beams of 16, has 256."""
LARGEST = 2**53
"""Of all other whole numbers: above it a float no longer tells neighbours apart."""


def check_whole(name: str, number: int, least: int = 1, most: int = LARGEST) -> None:
    """Raises UserError for a number out of range, naming the option and the nearest number that is
    allowed."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise UserError(f"{name}={shown(number)}: has to be a whole number")
    if number < least:
        raise UserError(f"{name}={shown(number)}: has to be at least {least}")
    if number > most:
        raise UserError(f"{name}={shown(number)}: has to be at most {most}")


def check_candidates(name: str, count: int) -> None:
    """Raises UserError if one request cannot hold so many candidates; `name` says what makes them so many."""
    if count > MOST_CANDIDATES:
        raise UserError(
            f"{name} makes {shown(count)} candidates: one request holds at most {MOST_CANDIDATES}"
        )


def shown(number: object) -> str:
    """A number of any size in a few characters; anything else as Python writes it, cut after 40."""
    if isinstance(number, int) and not isinstance(number, bool) and number.bit_length() > 64:
        return f"{'-' if number < 0 else ''}1e{int(number.bit_length() * math.log10(2))}"
    text = f"{number:g}" if isinstance(number, float) else str(number)
    return text if len(text) <= 40 else text[:40] + "..."
