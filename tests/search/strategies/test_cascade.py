"""Cascades in searches: whom the dear verifier is asked about, against a world without models."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llasa_core.errors import UserError
from search.asks import Beam, Beams, Choice, Measure
from search.strategies.base import Strategy
from search.strategies.best_of_n import BestOfN
from search.strategies.candidates import Known, judged
from search.strategies.registry import build
from tests.search.fake_world import TreeWorld, branch_of, searched
from verifiers.base import Score
from verifiers.selection.parse import parse_selection

METRICS = {"wer": False, "sim": True, "cheap": False}
Row = tuple[float, float, float]
"""wer, sim, cheap of a candidate."""
TWO = {"wer": False, "sim": True}
VALUE = st.integers(0, 4).map(lambda n: n / 4)
ROWS = st.lists(st.tuples(VALUE, VALUE, VALUE), min_size=1, max_size=10)
RULES = ("wer<=0,sim", "wer<=0.25,ranks(wer,sim)", "wer,sim", "sim>=0.5,wer")


def strategy(name: str, select: str) -> Strategy:
    return build({"name": name.partition("?")[0], **options(name), "select": select}, METRICS)


def options(name: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in name.partition("?")[2].split("&") if pair)


def world_of(rows: list[Row]) -> TreeWorld:
    """A world whose candidate k has the scores of row k."""

    def value(verifier: str, beam: Beam, partial: bool) -> float:
        return rows[branch_of(beam) % len(rows)][list(METRICS).index(verifier)]

    return TreeWorld(length=lambda lineage: 9, value=value)


def search(rows: list[Row], select: str) -> tuple[Choice, TreeWorld]:
    world = world_of(rows)
    return world.choose(strategy(f"best-of-n?n={len(rows)}&wide=1", select)), world


def asked(world: TreeWorld, verifier: str) -> list[list[int]]:
    return [[branch_of(beam) for beam in beams] for beams in world.measured(verifier)]


def test_it_asks_exactly_this() -> None:
    """Of the best four by the cheap one none is right; of the next four one is: the last is never heard."""
    rows = [(float(k != 6), k / 10, k / 10) for k in range(9)]
    choice, world = search(rows, "keep(cheap=4),wer<=0,sim")
    assert asked(world, "cheap") == [list(range(9))]
    assert asked(world, "wer") == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert asked(world, "sim") == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert choice.satisfied
    assert choice.ranking == (6, 7, 5, 4, 3, 2, 1, 0, 8)
    assert choice.scores["cheap"][8] == Score(0.8)
    for verifier in ("wer", "sim"):
        left_out = choice.scores[verifier][8]
        assert (left_out.usable, left_out.reason) == (False, "not asked: dropped by cheap")


def test_stages_stand_one_behind_the_other() -> None:
    rows = [(0.0, k / 10, (k + 2) % 10 / 10) for k in range(10)]
    choice, world = search(rows, "keep(cheap=0.6,sim=2),wer<=0,sim")
    assert asked(world, "cheap") == [list(range(10))]
    assert asked(world, "sim") == [[0, 1, 2, 3, 8, 9]]
    assert asked(world, "wer") == [[8, 9]]
    assert choice.ranking[0] == 9
    assert {score.reason for score in choice.scores["wer"] if not score.usable} == {
        "not asked: dropped by cheap",
        "not asked: dropped by sim",
    }


@given(st.sampled_from(RULES), ROWS)
def test_keeping_all_changes_nothing(rule: str, rows: list[Row]) -> None:
    plain, _ = search(rows, rule)
    kept, world = search(rows, f"keep(cheap=1),{rule}")
    assert kept == plain
    assert asked(world, "wer") == [list(range(len(rows)))]


@given(st.sampled_from(RULES), st.floats(0.05, 1), ROWS)
def test_constraints_are_met_whenever_a_candidate_meets_them(
    rule: str, share: float, rows: list[Row]
) -> None:
    plain, _ = search(rows, rule)
    choice, world = search(rows, f"keep(cheap={share}),{rule}")
    assert choice.satisfied == plain.satisfied
    heard = [k for batch in asked(world, "wer") for k in batch]
    assert len(heard) == len(set(heard)), "nothing is heard twice"
    assert choice.ranking[0] in heard
    if not plain.satisfied:
        assert choice.ranking == plain.ranking
        assert choice.scores == plain.scores


@given(st.floats(0.05, 1), ROWS)
def test_a_stage_by_what_is_made_best_loses_no_winner(share: float, rows: list[Row]) -> None:
    """Also where candidates are equal: all that equal the last one kept are kept."""
    plain, _ = search(rows, "wer<=0,sim")
    choice, _ = search(rows, f"keep(sim={share}),wer<=0,sim")
    assert choice.ranking[0] == plain.ranking[0]


@given(ROWS, st.data())
def test_what_the_cheap_one_cannot_judge_is_heard(rows: list[Row], data: st.DataObject) -> None:
    unusable = data.draw(st.sets(st.integers(0, len(rows) - 1)))

    def value(verifier: str, beam: Beam, partial: bool) -> float | Score:
        k = branch_of(beam)
        if verifier == "cheap" and k in unusable:
            return Score(1.0, {}, False, "no idea")
        return rows[k][list(METRICS).index(verifier)]

    world = TreeWorld(length=lambda lineage: 9, value=value)
    world.choose(strategy(f"best-of-n?n={len(rows)}&wide=1", "keep(cheap=0.25),wer,sim"))
    assert unusable <= set(asked(world, "wer")[0])


def test_adaptive_hears_what_was_dropped_before_it_draws_again() -> None:
    """Candidates 0 to 3 come in one round; 3 alone is right, and the cheap one likes it least."""
    rows = [(float(k != 3), 0.5, k / 10) for k in range(8)]
    world = world_of(rows)
    choice = world.choose(strategy("adaptive?n=8&first=4", "keep(cheap=0.25),wer<=0,sim"))
    assert asked(world, "wer") == [[0], [1], [2], [3]]
    assert len(choice.beams) == 4
    assert choice.satisfied
    assert choice.ranking[0] == 3


def test_adaptive_draws_again_when_all_were_heard() -> None:
    rows = [(float(k < 4), 0.5, k / 10) for k in range(8)]
    world = world_of(rows)
    choice = world.choose(strategy("adaptive?n=8&first=2", "keep(cheap=0.5),wer<=0,sim"))
    assert asked(world, "wer") == [[0], [1], [2, 3], [4, 5]]
    assert len(choice.beams) == 6
    assert choice.ranking[0] == 4


def test_equal_candidates_take_one_place() -> None:
    world = TreeWorld(
        length=lambda lineage: 9,
        value=lambda verifier, beam, _: beam.tokens[0] / 1000,
        token=lambda lineage, position: 1000 * (sum(branch for _, branch in lineage) // 3),
    )
    choice = world.choose(strategy("best-of-n?n=12&wide=1", "keep(cheap=0.5),wer,sim"))
    assert asked(world, "cheap") == [[0, 3, 6, 9]]
    assert asked(world, "wer") == [[0, 3]]
    assert [score.usable for score in choice.scores["wer"]] == [True] * 6 + [False] * 6


def play(world: TreeWorld, beams: Beams, select: str, known: dict[str, Known]) -> Choice:
    rule = parse_selection(select, METRICS)
    return world.play(judged(beams, tuple(METRICS), rule, known))


@pytest.mark.parametrize("rule", ["wer<=0,sim", "wer,sim"])
def test_what_was_dropped_stays_out_until_something_new_comes(rule: str) -> None:
    rows = [(0.0, 0.5, k / 10) for k in range(8)]
    world = world_of(rows)
    beams = tuple(world.beam((0, k)) for k in range(1, 7))
    known: dict[str, Known] = {}
    first = play(world, beams[:4], f"keep(cheap=0.5),{rule}", known)
    assert asked(world, "wer") == [[1, 2]]
    assert play(world, beams[:4], f"keep(cheap=0.5),{rule}", known) == first
    assert asked(world, "wer") == [[1, 2]]
    play(world, beams, f"keep(cheap=0.5),{rule}", known)
    assert asked(world, "wer") == [[1, 2], [3, 4]], "dropped candidates compete with new ones"


@pytest.mark.parametrize(
    "name",
    [
        "best-of-n?n=8",
        "beam?beams=2&n=4&step=3",
        "partial-prm?beams=2&n=4&step=3&seconds=0.06",
        "dvts?beams=2&n=4&step=3",
        "particle?particles=8&step=3",
        "adaptive?n=8&first=8",
        "repair?first=4&n=2&rounds=2&step=3",
    ],
)
def test_every_strategy_ends_in_a_cascade(name: str) -> None:
    """The winner meets the constraints as without the stage, and no more is heard."""

    def value(verifier: str, beam: Beam, partial: bool) -> float:
        number = hash((verifier != "wer", beam.lineage)) % 97
        return float(number % 3 > 0) if verifier == "wer" else number / 97

    def heard(select: str) -> tuple[Any, int]:
        world = TreeWorld(length=lambda lineage: 9, value=value)
        result = searched(
            world, build({"name": name.partition("?")[0], **options(name), "select": select}, TWO)
        )
        asks = [a for a in world.asks if isinstance(a, Measure) and a.verifier == "wer" and not a.partial]
        return result, sum(len(ask.beams) for ask in asks)

    plain, all_of_them = heard("wer<=0,sim")
    found, some = heard("keep(sim=0.25),wer<=0,sim")
    assert found.satisfied == plain.satisfied
    assert found.winner.scores["wer"].usable
    assert some <= all_of_them
    assert found.winner.tokens == plain.winner.tokens
    for candidate in found.as_dict()["candidates"]:
        score = candidate["scores"]["wer"]
        assert score["usable"] or (score["value"], score["reason"]) == (None, "not asked: dropped by sim")


def test_partial_utterances_have_no_cascade() -> None:
    with pytest.raises(UserError, match=r"keep\(...\) is for select="):
        strategy("beam?prm=keep(cheap=0.5),wer", "wer")


def test_a_strategy_is_described_with_its_cascade() -> None:
    made = strategy("best-of-n?n=4", "keep(cheap),wer<=0,sim")
    assert made.describe()["select"] == "keep(cheap=0.25),wer<=0,sim"
    assert build(made.describe(), METRICS) == made
    assert made.bounds == ("wer<=0",)
    assert isinstance(made, BestOfN)
    assert math.isnan(judged_nothing().value)


def judged_nothing() -> Score:
    choice, _ = search([(0.0, 0.5, k / 10) for k in range(8)], "keep(cheap=2),wer,sim")
    return choice.scores["wer"][-1]
