"""What a search algorithm may ask for, and what it is told.

A strategy is a generator function that holds no model: it yields asks and is sent the answers. Everything
it knows is in the beams that it holds, so a fake of a few lines can play the models, and one scheduler can
gather the work of many requests. The idea of ask and tell is that of TreeQuest.

A beam is its tokens and where they come from, so any beam may be named in any ask, also one that was left
lying long ago, or one that a strategy has made by `rewound`: whoever carries out the ask finds its keys and
values or computes them again.
"""

from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from llasa_core.lm.lineage import Lineage, branched
from verifiers.base import Score


@dataclass(frozen=True, slots=True)
class Beam:
    """One continuation of the request: its speech codes so far (50 a second, without the end token).

    The lineage and the number of tokens name a beam; its tokens are enough to make it again anywhere.
    `finished`: it grows no more; `cut_off`: because it reached its longest length, not because the model
    ended it.
    """

    lineage: Lineage
    tokens: tuple[int, ...]
    finished: bool = False
    cut_off: bool = False


Beams: TypeAlias = tuple[Beam, ...]
Scores: TypeAlias = Mapping[str, tuple[Score, ...]]
"""By verifier name: one score for each beam, in the order of the beams."""


@dataclass(frozen=True, slots=True)
class Start:
    """Prefill the prompt. Answer: the one root beam, which has no tokens yet."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Continue each beam `copies` times from where it stands, without running the model.

    Answer: `len(beams) * copies` beams, the copies of one beam next to each other. Copies of a beam are
    numbered from `first`, on and on if the beam is named several times. Number 0 goes on with the beam's
    own lineage, so that asking for more copies never changes the first ones; any other draws numbers of its
    own.
    """

    beams: Beams
    copies: int
    first: int = 0


@dataclass(frozen=True, slots=True)
class Extend:
    """Generate up to `n_tokens` more for each beam; None: to the end. Answer: the beams, in the same
    order."""

    beams: Beams
    n_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """Score the beams with one verifier, `partial` if they are not complete. Answer: one Score for each."""

    beams: Beams
    verifier: str
    partial: bool = False


Ask: TypeAlias = Start | Branch | Extend | Measure
T = TypeVar("T")
Work: TypeAlias = Generator[Ask, Any, T]


@dataclass(frozen=True, slots=True)
class Choice:
    """How a search ended: the complete beams, their scores, and the ranking (indices into `beams`, best
    first).

    `satisfied` is False if no beam met all constraints of the selection: the first is then the least bad.
    """

    beams: Beams
    scores: Scores
    ranking: tuple[int, ...]
    satisfied: bool = True


def start() -> Work[Beam]:
    """`root = yield from start()`"""
    root: Beam = yield Start()
    return root


def branch(beams: Beams, copies: int, first: int = 0) -> Work[Beams]:
    """`beams = yield from branch((root,), 16)`"""
    answer: Beams = yield Branch(beams, copies, first)
    return answer


def branched_beams(ask: Branch) -> Beams:
    """The answer to a `Branch`: it needs no model."""
    numbers: Counter[tuple[Lineage, int]] = Counter()
    answer = []
    for beam in ask.beams:
        for _ in range(ask.copies):
            place = beam.lineage, len(beam.tokens)
            number = ask.first + numbers[place]
            numbers[place] += 1
            answer.append(replace(beam, lineage=branched(beam.lineage, len(beam.tokens), number)))
    return tuple(answer)


def rewound(beam: Beam, n_tokens: int) -> Beam:
    """The beam as it was when it had so many tokens."""
    lineage = tuple(pair for pair in beam.lineage if pair[0] < n_tokens)
    return Beam(lineage, beam.tokens[:n_tokens])


def extend(beams: Beams, n_tokens: int | None = None) -> Work[Beams]:
    """`beams = yield from extend(beams, 25)`"""
    answer: Beams = yield Extend(beams, n_tokens)
    return answer


def measure(beams: Beams, verifier: str, *, partial: bool = False) -> Work[tuple[Score, ...]]:
    """`scores = yield from measure(beams, "wer")`"""
    answer: tuple[Score, ...] = yield Measure(beams, verifier, partial)
    return answer
