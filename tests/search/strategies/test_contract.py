"""What holds for every strategy, also for those of other packages."""

import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest

from llasa_core.errors import LlasaError, UserError
from llasa_core.lm.lineage import Lineage
from search.asks import Beam, Branch, Measure
from search.bounds import LARGEST
from search.cost.budget import Budget
from search.strategies.base import Strategy, field_types, own_fields
from search.strategies.registry import build, built_in, explain, find
from tests.search.fake_world import METRICS, TreeWorld, searched
from verifiers.base import Score

SIZES = {
    "adaptive": ("adaptive?n=4&first=2", "adaptive?n=8&first=4"),
    "beam": ("beam?beams=2&n=2&step=2", "beam?beams=3&n=2&step=2"),
    "best-of-n": ("best-of-n?n=4", "best-of-n?n=8"),
    "dvts": ("dvts?beams=2&n=2&step=2", "dvts?beams=3&n=2&step=2"),
    "partial-prm": (
        "partial-prm?beams=2&n=2&step=2&seconds=0.04",
        "partial-prm?beams=4&n=2&step=2&seconds=0.04",
    ),
    "particle": (
        "particle?particles=4&step=2&resample_below=1",
        "particle?particles=8&step=2&resample_below=1",
    ),
    "repair": ("repair?first=4&n=2&rounds=2&step=2", "repair?first=8&n=2&rounds=2&step=2"),
    "short-list": ("short-list?n=4&tokens=2", "short-list?n=8&tokens=2"),
    "longest": ("longest?n=4", "longest?n=8"),
}
"""A small search of each strategy, and one with more candidates."""
pytestmark = pytest.mark.usefixtures("examples")
every_strategy = pytest.mark.parametrize("name", SIZES)


def small(name: str) -> Strategy:
    return build(SIZES[name][0], METRICS)


def value(verifier: str, beam: Beam, partial: bool) -> float:
    """Nothing is ever free of errors; similarity prefers late branches, and differs everywhere."""
    total = sum((2 * position + 3) * branch for position, branch in beam.lineage)
    return 0.2 if verifier == "wer" else total % 17 / 17


def some_world(**changes: Any) -> TreeWorld:
    return TreeWorld(**{"length": lambda lineage: 9, "value": value, **changes})


def test_no_strategy_is_left_out() -> None:
    assert set(SIZES) >= set(built_in())


@every_strategy
def test_its_description_is_complete_and_builds_it_again(name: str) -> None:
    for strategy in (build(name, METRICS), *(build(spec, METRICS) for spec in SIZES[name])):
        described = json.loads(json.dumps(strategy.describe(), allow_nan=False))
        names = {"selection": "select"}
        assert set(described) == {"name", *(names.get(one.name, one.name) for one in fields(strategy))}
        assert build(described, METRICS) == strategy
        assert build(described, METRICS).describe() == described


@every_strategy
def test_it_is_explained_with_all_its_options(name: str) -> None:
    lines = explain().splitlines()
    kind = find(name)
    begin = next(number for number, line in enumerate(lines) if line.startswith(f"{name}: "))
    assert (kind.__doc__ or "").startswith(lines[begin].removeprefix(f"{name}: "))
    options = [one.name for one in own_fields(kind)] + ["select", "verifiers"]
    for option, line in zip(options, lines[begin + 1 :], strict=False):
        assert line.startswith(f"  {option}=")
    if name in built_in():
        assert all(one.metadata.get("help") for one in own_fields(kind))
    assert max(map(len, lines)) <= 110


@every_strategy
def test_it_ends_with_measured_and_ranked_candidates(name: str) -> None:
    world = some_world()
    result = searched(world, small(name))
    assert result.candidates and not result.stopped and not result.satisfied
    assert {candidate.rank for candidate in result.candidates} == set(range(len(result.candidates)))
    lineages = [candidate.lineage for candidate in result.candidates]
    assert lineages == sorted(lineages), "in lineage order"
    assert len(set(lineages)) == len(lineages), "each once"
    for candidate in result.candidates:
        beam = world.beam(*candidate.lineage)
        assert candidate.tokens == beam.tokens
        assert {name: score.value for name, score in candidate.scores.items()} == {
            verifier: value(verifier, beam, False) for verifier in METRICS
        }
        assert set(candidate.judged) == {"judge:nano"}
    assert result.scores["sim"].value == max(c.scores["sim"].value for c in result.candidates)


@every_strategy
def test_it_runs_twice_alike(name: str) -> None:
    strategy = small(name)
    worlds = some_world(), some_world()
    results = [searched(world, strategy) for world in worlds]
    assert worlds[0].asks == worlds[1].asks
    assert [c.lineage for c in results[0].candidates] == [c.lineage for c in results[1].candidates]


@every_strategy
@pytest.mark.parametrize("tokens", [8, 20, 33])
def test_a_budget_of_tokens_is_held(name: str, tokens: int) -> None:
    world = some_world()
    result = searched(world, small(name), Budget(tokens=tokens))
    assert 0 < result.ledger.tokens_generated <= tokens
    assert result.candidates and result.manifest["budget"] == {"tokens": tokens}
    if searched(some_world(), small(name)).ledger.tokens_generated > tokens:
        assert result.stopped


@every_strategy
@pytest.mark.parametrize("limit", [Budget(candidates=1), Budget(flops=10.0), Budget(seconds=1e-9)])
def test_a_spent_budget_ends_it(name: str, limit: Budget) -> None:
    """With what there is, or one line that says that there is nothing."""
    try:
        result = searched(some_world(), small(name), limit)
    except UserError as error:
        assert str(error) == "the budget was spent before anything was spoken: give more"
        assert limit.seconds is not None
    else:
        assert (
            "is spent" in result.stopped or "no room" in result.stopped or "in the middle" in result.stopped
        )
        assert result.candidates


@every_strategy
def test_more_candidates_never_change_the_first_ones(name: str) -> None:
    """The first beams of a larger search are those of a smaller one, so they say the same."""

    def first(spec: str) -> tuple[Lineage, ...]:
        world = some_world()
        searched(world, build(spec, METRICS))
        ask = next(ask for ask in world.asks if isinstance(ask, Branch))
        return tuple(beam.lineage for beam in world.answer(ask))

    few, many = (first(spec) for spec in SIZES[name])
    assert len(few) < len(many)
    assert many[: len(few)] == few


@every_strategy
def test_a_beam_that_ends_early_competes(name: str) -> None:
    """Candidate 1 ends at once and is the best."""

    def best(verifier: str, beam: Beam, partial: bool) -> float:
        return (
            (0.0 if verifier == "wer" else 2.0)
            if beam.lineage == ((0, 1),)
            else value(verifier, beam, partial)
        )

    world = some_world(length=lambda lineage: 1 if lineage == ((0, 1),) else 9, value=best)
    result = searched(world, small(name))
    assert result.winner.lineage == ((0, 1),) and result.satisfied


@every_strategy
def test_equal_candidates_are_measured_once(name: str) -> None:
    """All branches say the same, and share their scores."""
    world = some_world(token=lambda _, position: position)
    result = searched(world, small(name))
    for partial in (False, True):
        for verifier in METRICS:
            heard = [beam.tokens for beams in world.measured(verifier, partial=partial) for beam in beams]
            assert len(heard) == len(set(heard))
    assert len({candidate.scores["wer"].value for candidate in result.candidates}) == 1


@every_strategy
def test_what_cannot_be_judged_never_wins(name: str) -> None:
    """Only candidate 1 and what grows from it can be judged."""

    def usable(verifier: str, beam: Beam, partial: bool) -> Score:
        return Score(value(verifier, beam, partial), {}, (0, 1) in beam.lineage, "silent")

    result = searched(some_world(value=usable), small(name))
    assert (0, 1) in result.winner.lineage


@every_strategy
def test_nothing_that_can_be_judged_at_all_still_ends(name: str) -> None:
    world = some_world(value=lambda *_: Score(0.0, {}, False, "silent"))
    result = searched(world, small(name))
    assert result.candidates and not result.satisfied


@every_strategy
def test_a_broken_off_search_is_concluded_with_what_there_is(name: str) -> None:
    world = some_world()
    choice = world.play(small(name).conclude((world.beam((0, 2)), world.beam((0, 1)))))
    assert [beam.lineage for beam in choice.beams] == [((0, 1),), ((0, 2),)]
    assert {ask.verifier for ask in world.asks if isinstance(ask, Measure)} == set(METRICS)
    with pytest.raises(UserError, match="no candidate"):
        world.play(small(name).conclude(()))


@every_strategy
def test_options_are_named_when_they_are_wrong(name: str) -> None:
    for option in (*(one.name for one in own_fields(find(name))), "select", "verifiers"):
        with pytest.raises(UserError, match=f"{name} has no option '{option}x': did you mean '{option}'"):
            build(f"{name}?{option}x=1", METRICS)
        if option != "sound":
            with pytest.raises(LlasaError, match=f"{option}=\\[.* of {name}|{option} of {name}: give"):
                build({"name": name, option: [{"a": 1}]}, METRICS)
    with pytest.raises(UserError, match=f"{name} has no option 5"):
        build({"name": name, 5: 6}, METRICS)


@every_strategy
def test_numbers_out_of_range_are_refused_with_one_that_is_allowed(name: str) -> None:
    kind = find(name)
    checked = 0
    for one in own_fields(kind):
        of = field_types(kind)[one.name]
        if of not in (int, float, int | None):
            continue
        checked += 1
        whole = of is not float
        least = one.metadata.get("least", -LARGEST)
        most = one.metadata.get("most", LARGEST)
        beyond: list[Any] = [least - 1, -(10**400) if whole else -1e308]
        beyond += [most + 1, 10**400, 10**5000] if whole else ([] if math.isinf(most) else [2 * most + 1])
        for number in beyond:
            bound = "least" if number < least else "most"
            with pytest.raises(UserError, match=f"^{one.name}=.* of {name}: has to be at {bound} ") as found:
                build({"name": name, one.name: number}, METRICS)
            assert len(str(found.value)) < 120
        digits = "9" * 5000 if most < math.inf else "-" + "9" * 5000
        for text in ("x", "", "1,2", "0x", digits, "nan", "--1"):
            with pytest.raises(UserError, match=f"^{one.name}=.* of {name}: has to be ") as found:
                build({"name": name, one.name: text}, METRICS)
            assert len(str(found.value)) < 120
        for no_number in (True, {}, [1]):
            with pytest.raises(UserError, match=f"^{one.name}=.* of {name}: "):
                build({"name": name, one.name: no_number}, METRICS)
    assert checked


@every_strategy
def test_more_candidates_than_a_request_can_hold_are_refused(name: str) -> None:
    counts = {"particle": "particles", "beam": "beams", "dvts": "beams", "partial-prm": "beams"}
    option = counts.get(name, "n")
    for number in (10**9, 4097):
        with pytest.raises(UserError, match="at most 4096") as found:
            searched(some_world(), build(f"{name}?{option}={number}", METRICS))
        assert len(str(found.value)) < 150


@every_strategy
def test_a_metric_that_nothing_measures_is_refused(name: str) -> None:
    with pytest.raises(
        UserError, match="nothing measures sim, which 'wer<=0,sim' selects by: add a verifier"
    ):
        replace(build(name, METRICS), verifiers=("wer",))
