"""Budgets keep back what finishing one beam costs."""

import re

import pytest

from llasa_core.request import Request
from search.asks import Beam, Beams, Work, branch, extend, start
from search.cost.budget import Budget
from search.reserve import foremost, predicted_tokens
from search.strategies.plugins import from_function
from search.strategies.registry import build
from tests.search.fake_world import METRICS, TreeWorld, branch_of, searched
from verifiers.base import Score
from verifiers.selection.parse import Selection, parse_selection

TEXT = "The morning train is late again."
GROWING = (
    "beam?beams=2&n=4&step=10",
    "dvts?beams=2&n=4&step=10",
    "partial-prm?beams=2&n=4&step=10&seconds=9",
    "particle?particles=8&step=10",
)


def world() -> TreeWorld:
    return TreeWorld(lambda lineage: 100, lambda _, beam, __: Score(branch_of(beam) / 100))


@pytest.mark.parametrize("strategy", GROWING)
@pytest.mark.parametrize("kind", ["tokens", "flops"])
@pytest.mark.parametrize("limit", [250, 300, 400, 600])
def test_speech_is_whole_wherever_the_budget_ends(strategy: str, kind: str, limit: int) -> None:
    result = searched(world(), build(strategy, METRICS), Budget(**{kind: limit}), TEXT)
    assert re.search("the best (one was|[0-9]+ were) finished", result.stopped)
    assert len(result.tokens) == 100 and not result.winner.cut_off
    assert not {"cut off", "nothing complete"} & set(result.ends)
    assert result.ledger.tokens_generated <= limit


@pytest.mark.parametrize("strategy", GROWING)
def test_what_no_budget_could_finish_is_said_to_be_cut_off(strategy: str) -> None:
    result = searched(world(), build(strategy, METRICS), Budget(tokens=50), TEXT)
    assert result.winner.cut_off and not result.satisfied and result.ledger.tokens_generated == 50
    assert result.ends == ("cut off", "nothing complete", "unmet")
    assert result.as_dict()["ends"] == list(result.ends)


def test_the_best_by_the_process_reward_is_finished() -> None:
    strategy = build("beam?beams=2&n=2&prm=sim", METRICS)
    beams = tuple(Beam(((0, n),), (n,)) for n in range(3))
    assert foremost(beams, strategy, {}) == beams[0]
    scores = {"sim": {(0,): Score(0.1), (1,): Score(0.9), (2,): Score(0.95, {}, False, "silent")}}
    assert foremost(beams, strategy, scores) == beams[1]
    assert foremost(beams, build("best-of-n?n=2", METRICS), scores) == beams[0]


def test_a_prediction_is_a_length_that_a_candidate_can_have() -> None:
    assert predicted_tokens(Request("No."), 1000) < predicted_tokens(Request(TEXT), 1000) < 300
    assert predicted_tokens(Request(TEXT), 40) == 40


@pytest.mark.parametrize("spec", ["best-of-n?n=8&wide=1&select=wer,sim", "adaptive?n=8&select=wer<=2,sim"])
def test_a_limit_that_nothing_goes_beyond_stops_nothing(spec: str) -> None:
    """To measure what is there costs no candidate."""
    free = searched(world(), build(spec, METRICS), text=TEXT)
    bound = searched(world(), build(spec, METRICS), Budget(candidates=len(free.candidates)), TEXT)
    assert not bound.stopped and bound.winner.lineage == free.winner.lineage
    assert len(bound.candidates) == len(free.candidates)


def test_an_option_of_a_plugin_may_be_called_prm() -> None:
    def named(selection: Selection, prm: str = "sim", n: int = 2) -> Work[Beams]:
        root = yield from start()
        beams = yield from branch((root,), n)
        return (yield from extend((yield from extend(beams, 10))))

    strategy = from_function("named", named)(
        verifiers=tuple(METRICS), selection=parse_selection("sim", METRICS)
    )
    assert len(searched(world(), strategy, Budget(tokens=150), TEXT).tokens) == 100
