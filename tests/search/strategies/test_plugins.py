"""Strategies of other packages: the example of the documentation, and all that may be wrong with one."""

import re

import pytest

from llasa_core.errors import UserError
from search.asks import Beams, Branch, Extend, Measure, Start, Work
from search.strategies import registry
from search.strategies.registry import build, explain
from tests.search.fake_world import METRICS, TreeWorld, branch_of, searched
from tests.search.strategies.conftest import Install

HERE = "tests.search.strategies"


def some_world() -> TreeWorld:
    return TreeWorld(
        length=lambda lineage: 6 + (lineage[-1][1] if lineage else 0),
        value=lambda verifier, beam, _: 0.0 if verifier == "wer" else branch_of(beam) / 10,
    )


@pytest.mark.usefixtures("examples")
def test_a_function_is_a_strategy() -> None:
    world = some_world()
    result = searched(world, build("short-list?n=3&tokens=2", METRICS))
    beam = world.beam
    begun = beam(n=2), beam((0, 1), n=2), beam((0, 2), n=2)
    kept = begun[2], begun[1]
    assert world.asks == [
        Start(),
        Branch((beam(n=0),), 3),
        Extend((beam(n=0), beam((0, 1), n=0), beam((0, 2), n=0)), 2),
        Measure(begun, "wer", True),
        Measure(begun, "sim", True),
        Extend(kept, None),
        Measure((beam((0, 1)), beam((0, 2))), "wer", False),
        Measure((beam((0, 1)), beam((0, 2))), "sim", False),
    ]
    assert [candidate.lineage for candidate in result.candidates] == [((0, 1),), ((0, 2),)]
    assert result.winner.lineage == ((0, 2),) and result.satisfied
    described = result.manifest["strategy"]
    assert described == {
        "name": "short-list",
        "n": 3,
        "keep": 2,
        "tokens": 2,
        "select": "wer<=0,sim",
        "verifiers": ["wer", "sim"],
    }


@pytest.mark.usefixtures("examples")
def test_a_class_is_a_strategy() -> None:
    result = searched(some_world(), build({"name": "longest", "n": 5, "keep": 2}, METRICS))
    assert [len(candidate.tokens) for candidate in result.candidates] == [9, 10]


@pytest.mark.usefixtures("examples")
def test_they_are_explained_named_and_used_inside_of_others() -> None:
    text = explain()
    assert "short-list: Many beginnings, of which the best few are spoken to the end\n  n=8 " in text
    assert "  keep=4                         how many of them are judged\n" in text
    with pytest.raises(UserError, match="did you mean 'short-list'"):
        build("shortlist", METRICS)
    assert build("repair?first=longest", METRICS).describe()["first"]["name"] == "longest"


def test_a_strategy_of_this_package_cannot_be_replaced(install: Install) -> None:
    install({"beam": f"{HERE}.example_plugin:Longest"})
    assert registry.find("beam") is registry.built_in()["beam"]
    assert explain().count("\nbeam: ") == 1


WRONG = {
    "nowhere:at_all": "cannot be used: ModuleNotFoundError: No module named",
    "missing": "cannot be used: AttributeError: module",
    "NUMBER": "is neither a subclass of search.strategies.base.Strategy nor a generator function",
    "no_generator": "is neither a subclass of search.strategies.base.Strategy nor a generator function",
    "NoStrategy": "is neither a subclass of search.strategies.base.Strategy nor a generator function",
    "NoPlan": "lacks plan: a generator function that yields asks and returns a Choice",
    "PlainPlan": "lacks plan: a generator function that yields asks and returns a Choice",
    "Undecorated": "lacks the decorator: write @strategy('theirs') above the class",
    "OtherName": "calls itself 'somebody-else': give its decorator the name of the entry point",
    "without_default": "has the parameter n without a default: give it one",
}


@pytest.mark.parametrize("target", WRONG)
def test_what_is_no_strategy_is_named_in_one_line(target: str, install: Install) -> None:
    name = {"NoPlan": "no-plan", "PlainPlan": "plain-plan"}.get(target, "theirs")
    value = f"{HERE}.{target}" if ":" in target else f"{HERE}.wrong_plugins:{target}"
    install({name: value})
    with pytest.raises(
        UserError, match=re.escape(f"the strategy '{name}' of {value} {WRONG[target]}")
    ) as found:
        build(name, METRICS)
    assert "\n" not in str(found.value)
    assert str(found.value) in explain(), "help is shown all the same"
    assert build("beam", METRICS).name == "beam"


BROKEN = {
    "raises": "raised TypeError: 'Beam' object is not subscriptable",
    "yields_no_ask": "yields 'say something': it has to be Start, Branch, Extend or Measure",
    "returns_nothing": "returns 'None': it has to be a Choice",
    "returns_no_beams": "there is no candidate to choose from",
    "ranks_twice": "ranks (1, 1) of 2 beams: rank each once",
    "too_few_scores": "returns scores that are not one for each of its 2 beams",
    "unknown_verifier": "asks for 'were': did you mean 'wer'?",
    "too_many": "has up to 1000000000 candidates: one request holds at most 4096",
    "unfinished": "returns a beam that has not ended",
}


@pytest.mark.parametrize("function", BROKEN)
def test_what_breaks_while_it_runs_is_named_in_one_line(function: str, install: Install) -> None:
    install({"theirs": f"{HERE}.wrong_plugins:{function}"})
    with pytest.raises(UserError, match=re.escape(BROKEN[function])) as found:
        searched(some_world(), build("theirs", METRICS))
    assert "\n" not in str(found.value)
    if function != "returns_no_beams":
        assert str(found.value).startswith(f"the strategy 'theirs' ({HERE}.wrong_plugins) ")


def test_an_option_of_a_kind_that_cannot_be_read_is_named(install: Install) -> None:
    install({"theirs": f"{HERE}.wrong_plugins:odd_option"})
    with pytest.raises(UserError, match=r"n=1 of theirs: an option cannot be .*complex"):
        build("theirs?n=1", METRICS)


def typed(n: int = 2, share: float = 0.5, loud: bool = False, how=("sim",), word="no") -> Work[Beams]:  # type: ignore[no-untyped-def]
    """Says in its parameters what its options are."""
    raise NotImplementedError
    yield


def test_the_options_of_a_function_are_read_by_their_types(install: Install) -> None:
    install({"theirs": f"{HERE}.test_plugins:typed"})
    described = build("theirs?n=3&share=0.25&loud=true&how=wer,sim&word=yes", METRICS).describe()
    given = {"n": 3, "share": 0.25, "loud": True, "how": ["wer", "sim"], "word": "yes"}
    assert described == {"name": "theirs", **given, "select": "wer<=0,sim", "verifiers": ["wer", "sim"]}
    assert build(described, METRICS).describe() == described
    for wrong in ("n=x", "share=x", "loud=1"):
        with pytest.raises(UserError, match=f"{wrong} of theirs: has to be"):
            build(f"theirs?{wrong}", METRICS)
