"""The leak check of a whole run: what an emotion was bought with, paired over its texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from search.results.leak import CLIP, HELD_OUT, ROLES, SEARCHED
from verifiers.stats import Interval, bootstrap_mean


@dataclass(frozen=True, slots=True)
class LeakLine:
    """One score over all texts. winner, mean: of the winners, and of the means of all candidates. gain: of
    the winner over the mean, positive for the better, with its 95 % bootstrap interval over texts."""

    role: str
    by: str
    winner: float
    mean: float
    gain: Interval


@dataclass(frozen=True, slots=True)
class LeakSummary:
    """lines: in the order of `search.results.leak.ROLES`."""

    lines: tuple[LeakLine, ...]

    @property
    def sentence(self) -> str:
        """Whether the gain by the ear that searched is seen by a held-out one; "" if nothing searched by an
        emotion or nothing was gained."""
        searched = max(self._of(SEARCHED), key=lambda line: line.gain.mean, default=None)
        if searched is None or searched.gain.low <= 0:
            return ""
        told = f"The gain by {searched.by}, which searched, of {_shown(searched.gain)}"
        held_out = self._of(HELD_OUT)
        if not held_out:
            return f"{told} was checked by no held-out ear.{self._moved}"
        heard = ", ".join(f"{line.by} ({_shown(line.gain)})" for line in held_out)
        if any(line.gain.low > 0 for line in held_out):
            return f"{told} is seen by the held-out {heard} too."
        return f"{told} is NOT seen by the held-out {heard}.{self._moved}"

    @property
    def _moved(self) -> str:
        return "".join(
            f" The voices moved towards the emotion clips' speakers ({line.by} {_shown(line.gain)})."
            for line in self._of(CLIP)
            if line.gain.low > 0
        )

    def _of(self, role: str) -> list[LeakLine]:
        return [line for line in self.lines if line.role == role]

    def rows(self) -> list[dict[str, Any]]:
        """For the table of the run: of each line the gain with its interval."""
        return [
            {
                "measure": f"gain: {line.role}",
                "n": line.gain.n,
                "mean": line.gain.mean,
                "low": line.gain.low,
                "high": line.gain.high,
                "by": line.by,
            }
            for line in self.lines
        ]

    def table(self) -> Table:
        """For the terminal."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("leak check", "by", "n", "winner", "mean", "gain, 95 % interval"):
            table.add_column(heading, justify="left" if heading in ("leak check", "by") else "right")
        for line in self.lines:
            cells = (str(line.gain.n), f"{line.winner:.3f}", f"{line.mean:.3f}", _shown(line.gain))
            table.add_row(line.role, line.by, *cells)
        return table


def leak_summary(leaks: Iterable[Iterable[Mapping[str, Any]]]) -> LeakSummary | None:
    """leaks: of each text, the lines of its record. None if there are none."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for lines in leaks:
        for line in lines:
            found.setdefault((line["role"], line["by"]), []).append(line)
    if not found:
        return None
    ordered = sorted(found.items(), key=lambda one: ROLES.index(one[0][0]))
    return LeakSummary(tuple(_line(role, by, own) for (role, by), own in ordered))


def _line(role: str, by: str, own: list[Mapping[str, Any]]) -> LeakLine:
    gain = bootstrap_mean([one["gain"] for one in own])
    return LeakLine(role, by, _mean(own, "winner"), _mean(own, "mean"), gain)


def _mean(lines: list[Mapping[str, Any]], name: str) -> float:
    return float(sum(line[name] for line in lines) / len(lines))


def _shown(gain: Interval) -> str:
    return f"{gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
