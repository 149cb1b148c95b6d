"""Random numbers that depend on the identity of a candidate, never on where it is computed.

A lineage is the list of forks that led to a candidate: (position, branch) pairs. The number drawn at a
position is a hash of run seed, request id, lineage and position. So the first 4 of 8 candidates are the same
as those of a search with 4, and a sequence draws the same numbers in any batch, in any process, at any retry.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Lineage = tuple[tuple[int, int], ...]
"""(position, branch) of each fork at which the sequence was not copy 0; position = codes generated before."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def branched(lineage: Lineage, position: int, branch: int) -> Lineage:
    """The lineage of copy number `branch` of a sequence forked at `position`.

    Copy 0 continues exactly as the sequence would have without the fork.
    """
    return (*lineage, (position, branch)) if branch else lineage


def row_key(seed: int, request_id: str, lineage: Lineage) -> int:
    """64-bit key of a sequence's random stream (BLAKE2b of seed, request id and lineage)."""
    name = request_id.encode()
    parts = [f"{seed}:{len(name)}:".encode(), name]
    parts += [f";{position},{branch}".encode() for position, branch in lineage]
    return int.from_bytes(hashlib.blake2b(b"".join(parts), digest_size=8).digest(), "big")


def position_keys(
    keys: NDArray[np.uint64], starts: int | Sequence[int] | NDArray[np.int64], count: int
) -> NDArray[np.uint64]:
    """Hashes of positions start .. start + count - 1 of each stream: [rows] -> [rows, count].

    `starts` is one position for all rows or one for each. Counter-based: position p of a stream is output p
    of SplitMix64 (Steele, Lea, Flood 2014) seeded with the stream's key, computed directly.
    """
    keys = np.asarray(keys, dtype=np.uint64)
    first = np.broadcast_to(np.asarray(starts, dtype=np.uint64), keys.shape)
    positions = first[:, None] + np.arange(1, count + 1, dtype=np.uint64)
    state: NDArray[np.uint64] = np.asarray(keys[:, None] + positions * _GOLDEN, dtype=np.uint64)
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    state ^= state >> np.uint64(31)
    return state


def uniforms(
    keys: NDArray[np.uint64], starts: int | Sequence[int] | NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Numbers in [0, 1) at positions start .. start + count - 1 of each stream: [rows] -> [rows, count].

    Arguments as for `position_keys`.
    """
    state = position_keys(keys, starts, count)
    drawn: NDArray[np.float64] = (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return drawn
