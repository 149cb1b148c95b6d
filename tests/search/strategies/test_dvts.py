"""Diverse verifier tree search against a world without models."""

from typing import Any

from llasa_core.lm.lineage import Lineage
from search.asks import Beam, Branch, Extend, Measure, Start
from search.strategies.beam import BeamSearch
from search.strategies.dvts import DVTS
from tests.search.fake_world import TreeWorld, selection
from verifiers.base import Score

ONLY_SIM: dict[str, Any] = {"prm": selection("sim"), "verifiers": ("sim",), "selection": selection("sim")}


def sum_of_branches(verifier: str, beam: Beam, partial: bool) -> float:
    return sum(branch for _, branch in beam.lineage)


def test_it_asks_exactly_this() -> None:
    """Two sub-trees, one of branches 0 and 1, one of 2 and 3; 3 ends early, so that nothing is pruned
    there."""
    world = TreeWorld(length=lambda lineage: 1 if lineage == ((0, 3),) else 4, value=sum_of_branches)
    choice = world.choose(DVTS(beams=2, n=2, step=2, **ONLY_SIM))
    beam = world.beam
    assert world.asks == [
        Start(),
        Branch((beam(n=0),), 4),
        Extend((beam(n=0), beam((0, 1), n=0), beam((0, 2), n=0), beam((0, 3), n=0)), 2),
        Measure((beam(n=2), beam((0, 1), n=2)), "sim", True),
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
            (beam((0, 1)), beam((0, 1), (2, 1)), beam((0, 2)), beam((0, 2), (2, 1)), beam((0, 3))),
            "sim",
            False,
        ),
    ]
    # Sums 1, 2, 2, 3, 3: ties go by lineage.
    assert choice.ranking == (3, 4, 1, 2, 0)


def test_it_finds_what_beam_search_drops() -> None:
    """The best leaf begins worse than those of the other sub-tree, best in its own."""
    best = ((2, 1),)

    def value(verifier: str, beam: Beam, partial: bool) -> float:
        if not partial:
            return float(beam.lineage == best)
        return {((0, 2),): 0.9, ((0, 3),): 0.8, (): 0.5, ((0, 1),): 0.4}[beam.lineage]

    def winner(strategy: DVTS | BeamSearch) -> Lineage:
        choice = TreeWorld(lambda _: 4, value).choose(strategy)
        return choice.beams[choice.ranking[0]].lineage

    assert winner(BeamSearch(beams=2, n=2, step=2, **ONLY_SIM)) != best
    assert winner(DVTS(beams=2, n=2, step=2, **ONLY_SIM)) == best


def test_every_sub_tree_reaches_the_end() -> None:
    world = TreeWorld(length=lambda lineage: 9, value=sum_of_branches)
    choice = world.choose(DVTS(beams=3, n=2, step=2, **ONLY_SIM))
    first = {next((branch for at, branch in beam.lineage if at == 0), 0) // 2 for beam in choice.beams}
    assert first == {0, 1, 2}
    assert len(choice.beams) == 6


def test_one_sub_tree_is_beam_search_with_one_beam() -> None:
    worlds = [TreeWorld(length=lambda lineage: 7 + len(lineage), value=sum_of_branches) for _ in range(2)]
    dvts = worlds[0].choose(DVTS(beams=1, n=3, step=2, **ONLY_SIM))
    assert dvts == worlds[1].choose(BeamSearch(beams=1, n=3, step=2, **ONLY_SIM))
    assert worlds[0].asks == worlds[1].asks


def test_a_full_sub_tree_stops_while_others_go_on() -> None:
    """All beams of the first sub-tree end at once, those of the second later."""
    world = TreeWorld(
        length=lambda lineage: 6 if any(branch in (2, 3) for at, branch in lineage if at == 0) else 1,
        value=sum_of_branches,
    )
    choice = world.choose(DVTS(beams=2, n=2, step=2, **ONLY_SIM))
    assert [len(beam.tokens) for beam in choice.beams] == [1, 1, 6, 6]


def test_unusable_beams_neither_survive_nor_win() -> None:
    world = TreeWorld(
        length=lambda lineage: 4,
        value=lambda verifier, beam, _: Score(1.0, {}, not any(b % 2 for _, b in beam.lineage), "silent"),
    )
    choice = world.choose(DVTS(beams=2, n=2, step=2, **ONLY_SIM))
    assert [beam.lineage for beam in choice.beams] == [(), ((0, 2),), ((0, 2), (2, 1)), ((2, 1),)]
    assert choice.ranking == (0, 1, 2, 3)


def test_equal_beams_are_measured_once_across_sub_trees() -> None:
    world = TreeWorld(lambda _: 4, sum_of_branches, token=lambda _, position: position)
    choice = world.choose(DVTS(beams=2, n=2, step=2, **ONLY_SIM))
    assert [len(beams) for beams in world.measured("sim")] == [1]
    assert [len(beams) for beams in world.measured("sim", partial=True)] == [1]
    assert len(choice.beams) == 4
