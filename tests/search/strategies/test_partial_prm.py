"""Partial PRM against a world without models."""

import math
from typing import Any

import pytest

from search.asks import Beam, Branch, Extend, Measure, Start
from search.strategies.beam import BeamSearch
from search.strategies.best_of_n import BestOfN
from search.strategies.partial_prm import PartialPRM
from tests.search.fake_world import TreeWorld, selection
from verifiers.base import Score

STAGES: dict[str, Any] = {
    "prm": selection("sim"),
    "verifiers": ("wer", "sim"),
    "selection": selection("wer<=0,sim"),
}


def value(verifier: str, beam: Beam, partial: bool) -> float:
    """The later branches sound more like the voice, and have more words wrong."""
    branches = [branch for _, branch in beam.lineage]
    return sum(branches) / 10 if verifier == "sim" else float(branches[-1] if branches else 0)


def some_world() -> TreeWorld:
    return TreeWorld(length=lambda lineage: 7 + sum(map(sum, lineage)) % 5, value=value)


def test_it_asks_exactly_this() -> None:
    """0.06 s are three tokens, and so one step of two."""
    world = TreeWorld(length=lambda lineage: 9, value=value)
    choice = world.choose(PartialPRM(beams=1, n=2, step=2, seconds=0.06, **STAGES))
    beam = world.beam
    assert world.asks == [
        Start(),
        Branch((beam(n=0),), 2),
        Extend((beam(n=0), beam((0, 1), n=0)), 2),
        Measure((beam(n=2), beam((0, 1), n=2)), "sim", True),
        Branch((beam((0, 1), n=2),), 2),
        Extend((beam((0, 1), n=2), beam((0, 1), (2, 1), n=2)), None),
        Measure((beam((0, 1)), beam((0, 1), (2, 1))), "wer", False),
        Measure((beam((0, 1)), beam((0, 1), (2, 1))), "sim", False),
    ]
    assert choice.beams == (beam((0, 1)), beam((0, 1), (2, 1)))
    # Neither is without errors and both have one: the more similar is the better.
    assert choice.ranking == (1, 0)
    assert not choice.satisfied


@pytest.mark.parametrize("seconds", [0.0, 0.03])
def test_without_a_whole_step_it_is_best_of_n(seconds: float) -> None:
    worlds = some_world(), some_world()
    partial = worlds[0].choose(PartialPRM(beams=3, n=2, step=2, seconds=seconds, **STAGES))
    best = worlds[1].choose(BestOfN(n=6, verifiers=("wer", "sim"), selection=selection("wer<=0,sim")))
    assert partial == best
    assert worlds[0].asks == worlds[1].asks


@pytest.mark.parametrize("seconds", [math.inf, 1000.0])
def test_without_end_it_is_beam_search(seconds: float) -> None:
    worlds = some_world(), some_world()
    partial = worlds[0].choose(PartialPRM(beams=2, n=3, step=2, seconds=seconds, **STAGES))
    beam = worlds[1].choose(BeamSearch(beams=2, n=3, step=2, **STAGES))
    assert partial == beam
    assert worlds[0].asks == worlds[1].asks


def test_two_seconds_are_four_steps_of_the_paper() -> None:
    assert PartialPRM(**STAGES).steps == 4
    assert PartialPRM(step=15, seconds=0.3, **STAGES).steps == 1


def test_voice_first_words_last() -> None:
    """It keeps the beginning that sim likes best, and of its continuations that without errors."""
    strategy = PartialPRM(
        beams=1,
        n=4,
        step=2,
        seconds=0.04,
        prm=selection("sim"),
        verifiers=("wer",),
        selection=selection("wer"),
    )

    def words(verifier: str, beam: Beam, partial: bool) -> float:
        return {2: 0.0}.get(beam.lineage[-1][1], 0.5) if verifier == "wer" else value(verifier, beam, partial)

    choice = TreeWorld(lambda _: 9, words).choose(strategy)
    assert choice.beams[choice.ranking[0]].lineage == ((0, 3), (2, 2))


@pytest.mark.parametrize(("short", "wins"), [(0.0, True), (0.9, False)])
def test_a_beam_that_ends_before_the_switch_competes(short: float, wins: bool) -> None:
    world = TreeWorld(
        length=lambda lineage: 1 if lineage == ((0, 1),) else 9,
        value=lambda verifier, beam, _: short if beam.finished and len(beam.tokens) == 1 else 0.5,
    )
    strategy = PartialPRM(
        beams=1,
        n=3,
        step=2,
        seconds=0.04,
        prm=selection("sim"),
        verifiers=("wer",),
        selection=selection("wer"),
    )
    choice = world.choose(strategy)
    assert len(choice.beams) == 4
    assert (choice.beams[choice.ranking[0]] == world.beam((0, 1))) is wins


def test_when_all_end_before_the_switch_they_are_the_candidates() -> None:
    world = TreeWorld(length=lambda lineage: 1, value=value)
    choice = world.choose(PartialPRM(beams=2, n=2, step=2, **STAGES))
    assert choice.beams == tuple(world.beam(*([(0, k)] if k else [])) for k in range(4))
    assert not any(isinstance(ask, Extend) and ask.n_tokens is None for ask in world.asks)


def test_unusable_beams_never_win() -> None:
    world = TreeWorld(
        length=lambda lineage: 9,
        value=lambda verifier, beam, _: Score(0.0, {}, beam.lineage == ((0, 1),), "silent"),
    )
    choice = world.choose(PartialPRM(beams=2, n=2, step=2, seconds=0.04, **STAGES))
    assert choice.beams[choice.ranking[0]].lineage == ((0, 1),)
    assert choice.satisfied
