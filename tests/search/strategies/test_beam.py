"""Beam search against a world without models."""

from typing import Any

import pytest

from llasa_core.errors import UserError
from llasa_core.lm.lineage import Lineage
from search.asks import Beam, Branch, Extend, Measure, Start
from search.strategies.beam import BeamSearch
from search.strategies.best_of_n import BestOfN
from tests.search.fake_world import TreeWorld, selection
from verifiers.base import Score

ONLY_SIM: dict[str, Any] = {"prm": selection("sim"), "verifiers": ("sim",), "selection": selection("sim")}


def sum_of_branches(verifier: str, beam: Beam, partial: bool) -> float:
    return sum(branch for _, branch in beam.lineage)


def test_it_asks_exactly_this() -> None:
    """Four beams, of which the last ends early; sim prunes, wer chooses."""
    sims: dict[Lineage, float] = {
        (): 0.1,
        ((0, 1),): 0.5,
        ((0, 2),): 0.4,
        ((0, 1), (2, 1)): 0.6,
        ((0, 2), (2, 1)): 0.2,
    }
    world = TreeWorld(
        length=lambda lineage: 1 if lineage == ((0, 3),) else 5,
        value=lambda verifier, beam, _: sims[beam.lineage] if verifier == "sim" else len(beam.lineage),
    )
    strategy = BeamSearch(
        beams=2, n=2, step=2, prm=selection("sim"), verifiers=("wer",), selection=selection("wer")
    )
    choice = world.choose(strategy)
    beam = world.beam
    candidates = (
        beam((0, 1)),
        beam((0, 1), (2, 1)),
        beam((0, 1), (2, 1), (4, 1)),
        beam((0, 1), (4, 1)),
        beam((0, 3)),
    )
    assert world.asks == [
        Start(),
        Branch((beam(n=0),), 4),
        Extend((beam(n=0), beam((0, 1), n=0), beam((0, 2), n=0), beam((0, 3), n=0)), 2),
        Measure((beam(n=2), beam((0, 1), n=2), beam((0, 2), n=2)), "sim", True),
        Branch((beam((0, 1), n=2), beam((0, 2), n=2)), 2),
        Extend(
            (
                beam((0, 1), n=2),
                beam((0, 1), (2, 1), n=2),
                beam((0, 2), n=2),
                beam((0, 2), (2, 1), n=2),
            ),
            2,
        ),
        Measure(
            (
                beam((0, 1), n=4),
                beam((0, 1), (2, 1), n=4),
                beam((0, 2), n=4),
                beam((0, 2), (2, 1), n=4),
            ),
            "sim",
            True,
        ),
        Branch((beam((0, 1), n=4), beam((0, 1), (2, 1), n=4)), 2),
        Extend(
            (
                beam((0, 1), n=4),
                beam((0, 1), (4, 1), n=4),
                beam((0, 1), (2, 1), n=4),
                beam((0, 1), (2, 1), (4, 1), n=4),
            ),
            2,
        ),
        Measure(candidates, "wer", False),
    ]
    assert choice.beams == candidates
    assert [len(candidate.tokens) for candidate in choice.beams] == [5, 5, 5, 5, 1]
    # One fork: the first and the last, which tie; two; three.
    assert choice.ranking == (0, 4, 1, 3, 2)


def test_it_finds_the_best_leaf() -> None:
    """The best of 4^4 leaves: the last branch at each fork."""
    world = TreeWorld(length=lambda _: 8, value=sum_of_branches)
    choice = world.choose(BeamSearch(beams=1, n=4, step=2, **ONLY_SIM))
    assert choice.beams[choice.ranking[0]].lineage == ((0, 3), (2, 3), (4, 3), (6, 3))


def test_more_beams_find_what_begins_badly() -> None:
    """The best leaf has the second best beginning."""
    best = ((2, 1),)

    def value(verifier: str, beam: Beam, partial: bool) -> float:
        if not partial:
            return float(beam.lineage == best)
        return {((0, 1),): 1.0, (): 0.5}.get(beam.lineage, 0.0)

    def winner(beams: int) -> Lineage:
        choice = TreeWorld(lambda _: 4, value).choose(BeamSearch(beams=beams, n=2, step=2, **ONLY_SIM))
        return choice.beams[choice.ranking[0]].lineage

    assert winner(1) != best
    assert winner(2) == best


def test_one_beam_continued_once_is_plain_sampling() -> None:
    def world() -> TreeWorld:
        return TreeWorld(length=lambda _: 9, value=sum_of_branches)

    beam = world().choose(BeamSearch(beams=1, n=1, step=2, **ONLY_SIM))
    assert beam == world().choose(BestOfN(n=1, verifiers=("sim",), selection=selection("sim")))


def test_one_beam_continued_once_measures_nothing_on_the_way() -> None:
    world = TreeWorld(length=lambda _: 9, value=sum_of_branches)
    world.choose(BeamSearch(beams=1, n=1, step=2, **ONLY_SIM))
    assert world.measured("sim", partial=True) == []


@pytest.mark.parametrize(("short", "winner"), [(9.0, ((0, 2),)), (0.0, ((0, 3), (2, 1)))])
def test_a_beam_that_ends_early_competes(short: float, winner: Lineage) -> None:
    world = TreeWorld(
        length=lambda lineage: 1 if lineage == ((0, 2),) else 4,
        value=lambda verifier, beam, _: (
            short if beam.lineage == ((0, 2),) else sum_of_branches(verifier, beam, True)
        ),
    )
    choice = world.choose(BeamSearch(beams=2, n=2, step=2, **ONLY_SIM))
    assert choice.beams[choice.ranking[0]].lineage == winner
    assert all(
        len({len(beam.tokens) for beam in beams}) == 1 for beams in world.measured("sim", partial=True)
    ), "only beams of equal length are compared on the way"


def test_it_stops_when_as_many_have_ended_as_it_is_wide() -> None:
    """Every copy number 1 ends at once: one in the first step, two in each of the next; number 0 would go
    on for ever."""
    world = TreeWorld(
        length=lambda lineage: lineage[-1][0] + 1 if lineage and lineage[-1][1] == 1 else 10**6,
        value=lambda verifier, beam, _: -len(beam.lineage),
    )
    choice = world.choose(BeamSearch(beams=2, n=2, step=2, **ONLY_SIM))
    assert [len(beam.tokens) for beam in choice.beams] == [1, 3, 5, 3, 5]
    assert [beam.lineage for beam in choice.beams] == [
        ((0, 1),),
        ((0, 2), (2, 1)),
        ((0, 2), (4, 1)),
        ((2, 1),),
        ((4, 1),),
    ]


def test_unusable_beams_neither_survive_nor_win() -> None:
    def value(verifier: str, beam: Beam, partial: bool) -> Score:
        usable = (0, 3) not in beam.lineage
        return Score(sum_of_branches(verifier, beam, partial) if usable else 1e9, {}, usable, "silent")

    world = TreeWorld(length=lambda lineage: 4, value=value)
    choice = world.choose(BeamSearch(beams=1, n=4, step=2, **ONLY_SIM))
    assert choice.beams[choice.ranking[0]].lineage == ((0, 2), (2, 3))
    assert all((0, 3) not in beam.lineage for beam in choice.beams)


def test_where_nothing_can_be_judged_nothing_is_pruned() -> None:
    """Too short at two tokens, judged from four on."""
    world = TreeWorld(
        length=lambda lineage: 6,
        value=lambda verifier, beam, partial: Score(
            sum_of_branches(verifier, beam, partial), {}, len(beam.tokens) > 2, "too short"
        ),
    )
    choice = world.choose(BeamSearch(beams=1, n=3, step=2, **ONLY_SIM))
    assert world.measured("sim", partial=True)[1] == tuple(
        world.beam(*lineage, n=4) for lineage in [(), ((0, 1),), ((0, 2),)]
    )
    assert choice.beams[choice.ranking[0]].lineage == ((0, 2), (4, 2))


def test_nothing_that_can_be_judged_at_all_still_ends() -> None:
    world = TreeWorld(length=lambda lineage: 6, value=lambda *_: Score(0.0, {}, False, "silent"))
    choice = world.choose(BeamSearch(beams=2, n=2, step=2, **ONLY_SIM))
    assert len(choice.beams) == 4
    assert not choice.satisfied


def test_equal_beams_are_measured_once_and_share_the_score() -> None:
    """All branches say the same: `TreeWorld` refuses to measure equal beams."""
    world = TreeWorld(
        length=lambda lineage: 4, value=lambda *_: 0.5, token=lambda lineage, position: position
    )
    choice = world.choose(BeamSearch(beams=2, n=2, step=2, **ONLY_SIM))
    assert [len(beams) for beams in world.measured("sim")] == [1]
    assert len(choice.scores["sim"]) == len(choice.beams) == 4
    assert choice.ranking == (0, 1, 2, 3), "ties go by lineage"


def test_a_broken_off_search_is_concluded_with_what_there_is() -> None:
    world = TreeWorld(length=lambda lineage: 8, value=sum_of_branches)
    strategy = BeamSearch(beams=2, n=3, step=2, **ONLY_SIM)
    choice = world.play(strategy.conclude((world.beam((0, 2), n=3), world.beam((0, 1)))))
    assert [beam.lineage for beam in choice.beams] == [((0, 1),), ((0, 2),)]
    assert choice.ranking == (1, 0)
    with pytest.raises(UserError, match="no candidate"):
        world.play(strategy.conclude(()))
