"""Draw until passed, against a world without models."""

from typing import Any

import pytest

from llasa_core.errors import UserError
from search.asks import Beam, Branch, Choice, Extend, Measure, Start
from search.strategies.adaptive import Adaptive
from search.strategies.best_of_n import BestOfN
from tests.search.fake_world import TreeWorld, branch_of, selection
from verifiers.base import Score

WER = {0: 0.5, 1: 0.25, 2: 0.0, 3: 0.25, 4: 0.0}
BOTH: dict[str, Any] = {"verifiers": ("wer", "sim"), "selection": selection("wer<=0,sim")}


def value(verifier: str, beam: Beam, partial: bool) -> float:
    branch = branch_of(beam)
    return WER.get(branch, 0.0) if verifier == "wer" else (7 * branch % 5) / 10


def some_world() -> TreeWorld:
    return TreeWorld(length=lambda lineage: 9, value=value)


def test_it_asks_exactly_this() -> None:
    """Rounds of one and two: candidate 2 passes, and candidates 3 and 4 are never drawn."""
    world = some_world()
    choice = world.choose(Adaptive(n=8, **BOTH))
    beam = world.beam
    assert world.asks == [
        Start(),
        Branch((beam(n=0),), 1),
        Extend((beam(n=0),), None),
        Measure((beam(),), "wer", False),
        Measure((beam(),), "sim", False),
        Branch((beam(n=0),), 2, 1),
        Extend((beam((0, 1), n=0), beam((0, 2), n=0)), None),
        Measure((beam((0, 1)), beam((0, 2))), "wer", False),
        Measure((beam((0, 1)), beam((0, 2))), "sim", False),
    ]
    assert choice == Choice(
        beams=(beam(), beam((0, 1)), beam((0, 2))),
        scores={
            "wer": (Score(0.5), Score(0.25), Score(0.0)),
            "sim": (Score(0.0), Score(0.2), Score(0.4)),
        },
        ranking=(2, 1, 0),
        satisfied=True,
    )


@pytest.mark.parametrize(("first", "n"), [(1, 1), (1, 2), (1, 7), (3, 7), (16, 7), (1, 8)])
def test_an_impossible_criterion_is_best_of_n(first: int, n: int) -> None:
    rule = selection("wer<=-1,sim")
    adaptive = some_world().choose(Adaptive(n=n, first=first, verifiers=("wer", "sim"), selection=rule))
    assert adaptive == some_world().choose(BestOfN(n=n, verifiers=("wer", "sim"), selection=rule))
    assert not adaptive.satisfied


def test_rounds_double_up_to_the_budget() -> None:
    world = some_world()
    world.choose(Adaptive(n=12, first=2, verifiers=("wer",), selection=selection("wer<=-1,wer")))
    drawn = [(ask.copies, ask.first) for ask in world.asks if isinstance(ask, Branch)]
    assert drawn == [(2, 0), (4, 2), (6, 6)]


def test_all_of_the_last_round_compete() -> None:
    """Candidates 2 and 4 have no errors and come in one round; 2 is the more similar."""
    world = some_world()
    choice = world.choose(Adaptive(n=16, first=5, **BOTH))
    assert len(choice.beams) == 5
    assert choice.ranking[:2] == (2, 4)


def test_an_unusable_candidate_does_not_pass() -> None:
    world = TreeWorld(
        length=lambda lineage: 9,
        value=lambda verifier, beam, _: Score(0.0, {}, branch_of(beam) >= 3, "silent"),
    )
    choice = world.choose(Adaptive(n=8, **BOTH))
    assert choice.ranking[0] == 3
    assert len(choice.beams) == 7


def test_equal_candidates_are_measured_once_also_across_rounds() -> None:
    world = TreeWorld(
        length=lambda lineage: 9,
        value=lambda *_: 0.5,
        token=lambda lineage, position: sum(branch for _, branch in lineage) // 2,
    )
    choice = world.choose(Adaptive(n=4, **BOTH))
    assert [[beam.lineage for beam in beams] for beams in world.measured("wer")] == [[()], [((0, 2),)]]
    assert choice.scores["wer"] == (Score(0.5),) * 4
    assert choice.ranking == (0, 1, 2, 3)


def test_a_selection_without_constraints_is_an_error() -> None:
    with pytest.raises(UserError, match="'wer,sim' has none: add one"):
        Adaptive(verifiers=("wer", "sim"), selection=selection("wer,sim"))
