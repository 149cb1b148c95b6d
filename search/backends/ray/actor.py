"""One seat's process, and what is known of it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

from search.backends.ray.placement import Role, Seat, Unit
from search.backends.ray.worker import About, Kind
from search.cost.ledger import Ledger


@dataclass(slots=True, eq=False)
class Actor:
    """One seat's process. `life` counts how many there have been before; `deaths` those without an answer between."""

    name: str
    kind: Kind
    seat: Seat
    handle: Any = None
    life: int = 0
    deaths: int = 0
    restarts: int = 0
    about: About | None = None
    spent: Ledger = field(default_factory=Ledger)
    answers: int = 0
    ready_seconds: float = 0.0
    ready_since: float = math.nan
    down_since: float = field(default_factory=time.perf_counter)

    def seconds(self, now: float) -> float:
        """For how long it has been ready, all its processes together."""
        return self.ready_seconds + (now - self.ready_since if self.seat.ready else 0.0)

    def row(self, now: float) -> dict[str, Any]:
        """What it does and has done, as plain values.

        utilisation: the share of its time that its models worked; up to 2 on a GPU, where two threads work.
        """
        seconds, about = self.seconds(now), self.about
        return {
            "name": self.name,
            "kind": self.kind,
            "state": "gone" if self.seat.gone else "ready" if self.seat.ready else "starting",
            "node": about.node if about else "",
            "pid": about.pid if about and self.seat.ready else None,
            "queue": len(self.seat.running),
            "restarts": self.restarts,
            "units": self.answers,
            "tokens": self.spent.tokens_generated,
            "tokens_per_second": round(self.spent.tokens_generated / seconds, 1) if seconds else 0.0,
            "utilisation": round(sum(self.spent.wall.values()) / seconds, 3) if seconds else 0.0,
        }


@dataclass(frozen=True, slots=True)
class Sent:
    """What an object of Ray will tell: that an actor is ready ("load"), is dead ("alive"), or a unit's answer."""

    number: int
    life: int
    what: str
    unit: Unit | None = None


def roles_of(kind: Kind) -> frozenset[Role]:
    """What such an actor may be given."""
    return frozenset(("speak", "listen") if kind == "all" else (kind,))


def reason_of(error: Exception) -> str:
    """What Ray says of a death, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("The actor is dead because")), None)
    if told is None:
        # an error of its constructor, say: what it is stands at the end of a traceback
        return (
            " ... ".join(dict.fromkeys((lines[0], lines[-1]))).rstrip(".") if lines else type(error).__name__
        )
    return told.removeprefix("The actor is dead because ").split(". ")[0].rstrip(".")
