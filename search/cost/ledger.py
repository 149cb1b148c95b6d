"""What a search spent: tokens, seconds of audio, wall time. Every comparison can be drawn at equal
compute."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from search.asks import Beam


@dataclass(slots=True)
class Ledger:
    """Counters of one request, filled by the backend.

    Speech tokens only; the end token of a candidate is none (it is a step of the model, but no sound):

    - `tokens_generated`: sampled in all. `tokens_kept`: those that are part of a final candidate, a start
      that
      candidates share counted once. `tokens_pruned`: the rest. generated = kept + pruned, always.
    - `tokens_prefilled`: prompt tokens (text, template, voice prompt) run through the model.
      `tokens_reprefilled`: tokens run again to make a lost beam anew.
    - `beams_moved`: beams that went on in another process than the one that held their keys and values.

    Seconds are of audio: `seconds_decoded` by the codec, `seconds_scored` and `seconds_judged` by verifier
    (as asked: one that remembers scores may have heard less of it), of `waveforms_scored` and
    `waveforms_judged` utterances or beginnings: in a cascade of verifiers each stage has fewer.
    `wall` is wall time in seconds by part: "generator", "codec", and "verifier NAME" / "judge NAME"; `flops`
    the floating-point operations of the same parts (`search.cost.flops`). Work that was lost with a process
    is in none of these.
    """

    tokens_generated: int = 0
    tokens_kept: int = 0
    tokens_prefilled: int = 0
    tokens_reprefilled: int = 0
    beams_moved: int = 0
    seconds_encoded: float = 0.0
    seconds_decoded: float = 0.0
    seconds_scored: dict[str, float] = field(default_factory=dict)
    seconds_judged: dict[str, float] = field(default_factory=dict)
    waveforms_scored: dict[str, int] = field(default_factory=dict)
    waveforms_judged: dict[str, int] = field(default_factory=dict)
    wall: dict[str, float] = field(default_factory=dict)
    flops: dict[str, float] = field(default_factory=dict)

    @property
    def tokens_pruned(self) -> int:
        return self.tokens_generated - self.tokens_kept

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Adds the wall time of the block to `wall[part]`, also when the block raises."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add_time(part, time.perf_counter() - began)

    def add_time(self, part: str, seconds: float) -> None:
        """More wall time of a part."""
        self.wall[part] = self.wall.get(part, 0.0) + seconds

    def add_flops(self, part: str, count: float) -> None:
        """More operations of a part."""
        self.flops[part] = self.flops.get(part, 0.0) + count

    def add_audio(self, name: str, count: int, seconds: float, *, held_out: bool) -> None:
        """More audio that a verifier, or a held-out judge, was asked about: so many waveforms."""
        counts = self.waveforms_judged if held_out else self.waveforms_scored
        spent = self.seconds_judged if held_out else self.seconds_scored
        counts[name] = counts.get(name, 0) + count
        spent[name] = spent.get(name, 0.0) + seconds

    def add(self, other: Ledger) -> None:
        """Counts what another ledger has counted as well."""
        for item in fields(self):
            mine, more = getattr(self, item.name), getattr(other, item.name)
            if isinstance(mine, dict):
                for part, value in more.items():
                    mine[part] = mine.get(part, 0) + value
            else:
                setattr(self, item.name, mine + more)

    def copy(self) -> Ledger:
        """What is counted by now; this ledger counts on without it."""
        found = Ledger()
        found.add(self)
        return found

    def drained(self) -> Ledger:
        """What was counted since the last time; this ledger begins anew."""
        taken, fresh = Ledger(), Ledger()
        taken.add(self)
        for item in fields(self):
            setattr(self, item.name, getattr(fresh, item.name))
        return taken

    def close(self, candidates: Iterable[Beam]) -> None:
        """Sets `tokens_kept` from the beams that are the result."""
        self.tokens_kept = distinct_tokens(candidates)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "tokens_generated": self.tokens_generated,
            "tokens_kept": self.tokens_kept,
            "tokens_pruned": self.tokens_pruned,
            "tokens_prefilled": self.tokens_prefilled,
            "tokens_reprefilled": self.tokens_reprefilled,
            "beams_moved": self.beams_moved,
            "seconds_encoded": round(self.seconds_encoded, 4),
            "seconds_decoded": round(self.seconds_decoded, 4),
            "seconds_scored": _rounded(self.seconds_scored),
            "seconds_judged": _rounded(self.seconds_judged),
            "waveforms_scored": dict(self.waveforms_scored),
            "waveforms_judged": dict(self.waveforms_judged),
            "wall_seconds": _rounded(self.wall),
            "flops": {part: float(f"{count:.4g}") for part, count in self.flops.items()},
        }


def distinct_tokens(beams: Iterable[Beam]) -> int:
    """Tokens of all beams together, those from before two beams parted counted once.

    Two beams share the token at position p when they had the same lineage up to there; a branch at position p
    changes the token at p.
    """
    seen: set[tuple[object, int]] = set()
    for beam in beams:
        for position in range(len(beam.tokens)):
            seen.add((tuple(pair for pair in beam.lineage if pair[0] <= position), position))
    return len(seen)


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
