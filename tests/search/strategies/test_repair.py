"""Rewind and repair, against a world without models in which it is known where a beam goes wrong."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from llasa_core.errors import UserError
from llasa_core.lm.lineage import Lineage
from search.asks import Beam, Branch, Extend, Measure, Start
from search.strategies.beam import BeamSearch
from search.strategies.best_of_n import BestOfN
from search.strategies.repair import Repair, unused
from tests.search.fake_world import TreeWorld, selection
from verifiers.base import Score

BOTH: dict[str, Any] = {"verifiers": ("wer", "sim"), "selection": selection("wer<=0,sim")}


def best_of(n: int) -> BestOfN:
    return BestOfN(n=n, verifiers=("wer", "sim"), selection=selection("wer<=0,sim"))


def world_of(
    wrong: Callable[[Lineage], tuple[int, ...]], sims: Mapping[Lineage, float] | None = None
) -> TreeWorld:
    """Beams of 10 tokens; `wrong`: at which tokens a beam says a wrong word. WER: a tenth for each."""

    def value(verifier: str, beam: Beam, partial: bool) -> float:
        if verifier == "sim":
            return (sims or {}).get(beam.lineage, 0.0)
        return sum(position < len(beam.tokens) for position in wrong(beam.lineage)) / 10

    return TreeWorld(length=lambda lineage: 10, value=value)


def test_it_asks_exactly_this() -> None:
    """Candidate 1 wins, goes wrong at token 7, is rolled back to 6 and a step more; the second continuation
    is right."""
    wrong: dict[Lineage, tuple[int, ...]] = {(): (1, 2), ((0, 1),): (7,), ((0, 1), (4, 1)): (9,)}
    world = world_of(lambda lineage: wrong.get(lineage, ()))
    choice = world.choose(Repair(first=best_of(2), n=2, step=2, **BOTH))
    beam = world.beam
    new = beam((0, 1), (4, 1)), beam((0, 1), (4, 2))
    assert world.asks == [
        Start(),
        Branch((beam(n=0),), 2),
        Extend((beam(n=0), beam((0, 1), n=0)), None),
        Measure((beam(), beam((0, 1))), "wer", False),
        Measure((beam(), beam((0, 1))), "sim", False),
        Measure(tuple(beam((0, 1), n=n) for n in (2, 4, 6, 8)), "wer", True),
        Branch((beam((0, 1), n=4),), 2, 1),
        Extend((beam((0, 1), (4, 1), n=4), beam((0, 1), (4, 2), n=4)), None),
        Measure(new, "wer", False),
        Measure(new, "sim", False),
    ]
    assert choice.beams == (beam(), beam((0, 1)), *new)
    assert [score.value for score in choice.scores["wer"]] == [0.2, 0.1, 0.1, 0.0]
    assert choice.ranking == (3, 1, 2, 0)
    assert choice.satisfied
    assert all(made.tokens[:4] == beam((0, 1)).tokens[:4] for made in new), "the beginning is kept"


def cuts(world: TreeWorld) -> list[tuple[int, int, int]]:
    """Position, first branch number and copies of each repair."""
    return [
        (len(ask.beams[0].tokens), ask.first, ask.copies)
        for ask in world.asks
        if isinstance(ask, Branch) and ask.first
    ]


def test_without_improvement_it_goes_back_further_with_fresh_branches() -> None:
    """No continuation is any better, so the same winner is tried from 6, 4, 2, and 0 tokens, and 0 again."""
    world = world_of(lambda lineage: (9,))
    choice = world.choose(Repair(first=best_of(1), n=2, step=2, rounds=5, **BOTH))
    assert cuts(world) == [(6, 1, 2), (4, 1, 2), (2, 1, 2), (0, 1, 2), (0, 3, 2)]
    assert len(choice.beams) == 11
    assert len({beam.lineage for beam in choice.beams}) == 11
    assert not choice.satisfied


def test_an_improvement_starts_from_the_new_winner_with_the_margin_alone() -> None:
    """The winner is wrong at 3 and 9; the first round mends the one, the second the other."""

    def wrong(lineage: Lineage) -> tuple[int, ...]:
        if not any(position == 0 for position, _ in lineage):
            return (3, 9)
        return (9,) if not any(position == 6 for position, _ in lineage) else ()

    world = world_of(wrong)
    choice = world.choose(Repair(first=best_of(1), n=1, step=2, rounds=9, **BOTH))
    # Sound up to 2, less the margin: 0. The new winner is sound up to 8, less the margin: 6.
    assert cuts(world) == [(0, 1, 1), (6, 1, 1)]
    assert choice.beams[choice.ranking[0]].lineage == ((0, 1), (6, 1))
    assert choice.satisfied


def test_a_winner_is_heard_once_for_all_its_rounds() -> None:
    world = world_of(lambda lineage: (9,))
    world.choose(Repair(first=best_of(1), n=1, step=2, rounds=4, **BOTH))
    heard = [beam.tokens for beams in world.measured("wer", partial=True) for beam in beams]
    assert len(heard) == len(set(heard))


@pytest.mark.parametrize(("margin", "position"), [(0, 6), (1, 4), (2, 2), (9, 0)])
def test_the_margin(margin: int, position: int) -> None:
    world = world_of(lambda lineage: (7,))
    world.choose(Repair(first=best_of(1), n=1, step=2, rounds=1, margin=margin, **BOTH))
    assert cuts(world)[0][0] == position


@pytest.mark.parametrize(("sound", "position"), [("strict", 2), ("longest", 6)])
def test_an_error_that_is_gone_later(sound: str, position: int) -> None:
    """The beginnings of 4 and 8 tokens are heard wrong, that of 6 right."""
    world = world_of(lambda lineage: ())
    world.value = lambda verifier, beam, partial: float(not partial or len(beam.tokens) in (4, 8))
    world.choose(Repair(first=best_of(1), n=1, step=2, rounds=1, margin=0, sound=sound, **BOTH))
    assert cuts(world) == [(position, 1, 1)]


def test_beginnings_that_cannot_be_judged_say_nothing() -> None:
    """Silence up to token 4 is no reason to begin from nothing."""

    def value(verifier: str, beam: Beam, partial: bool) -> Score:
        if partial and len(beam.tokens) <= 4:
            return Score(1.0, {}, False, "silent")
        return Score(float(len(beam.tokens) > 6))

    world = TreeWorld(lambda _: 10, value)
    world.choose(Repair(first=best_of(1), n=1, step=2, rounds=1, margin=0, **BOTH))
    assert cuts(world) == [(6, 1, 1)]


@pytest.mark.parametrize("rule", ["wer<=0,sim", "wer<=0.1,sim", "sim"])
def test_a_winner_that_passes_is_left_as_it_is(rule: str) -> None:
    world = world_of(lambda lineage: (9,) if rule == "wer<=0.1,sim" else ())
    first = BestOfN(n=2, verifiers=("wer", "sim"), selection=selection(rule))
    choice = world.choose(Repair(first=first, verifiers=("wer", "sim"), selection=selection(rule)))
    assert cuts(world) == []
    assert choice == world_of(lambda lineage: (9,) if rule == "wer<=0.1,sim" else ()).choose(first)


def test_no_round_begins_once_the_budget_is_spent() -> None:
    """Rounds cost 2 x 4, 2 x 6, 2 x 8, ... tokens."""

    def rounds(budget: int | None) -> int:
        world = world_of(lambda lineage: (9,))
        world.choose(Repair(first=best_of(3), n=2, step=2, rounds=6, budget=budget, **BOTH))
        return len(cuts(world))

    assert [rounds(budget) for budget in (1, 8, 9, 20, 21, None)] == [1, 1, 2, 2, 3, 6]


def test_it_wraps_any_strategy() -> None:
    beam = BeamSearch(beams=2, n=2, step=2, prm=selection("sim"), **BOTH)
    world = world_of(lambda lineage: () if (6, 2) in lineage else (9,))
    choice = world.choose(Repair(first=beam, n=2, step=2, **BOTH))
    assert choice.satisfied
    assert len(choice.beams) == 6


def test_the_old_winner_stays_if_nothing_better_comes() -> None:
    world = world_of(lambda lineage: (9,), {((0, 1),): 0.9})
    choice = world.choose(Repair(first=best_of(2), n=3, step=2, rounds=2, **BOTH))
    assert choice.beams[choice.ranking[0]].lineage == ((0, 1),)


def test_unusable_continuations_never_win() -> None:
    def value(verifier: str, beam: Beam, partial: bool) -> Score:
        if (4, 1) in beam.lineage:
            return Score(0.0, {}, False, "silent")
        return Score(float(verifier == "wer" and len(beam.tokens) > 7))

    world = TreeWorld(lambda _: 10, value)
    choice = world.choose(Repair(first=best_of(1), n=1, step=2, rounds=1, **BOTH))
    assert [beam.lineage for beam in choice.beams] == [(), ((4, 1),)]
    assert choice.ranking == (0, 1)


def test_unused_branch_numbers() -> None:
    beams = Beam((), ()), Beam(((0, 7), (4, 2)), ()), Beam(((4, 3),), ())
    assert [unused(beams, position) for position in (0, 2, 4)] == [8, 1, 4]


def test_what_finds_wrong_words_has_to_be_measured() -> None:
    with pytest.raises(UserError, match="nothing measures cer, by which repair finds wrong words"):
        Repair(first=best_of(1), content="cer", **BOTH)
