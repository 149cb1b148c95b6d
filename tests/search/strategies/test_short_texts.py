"""Texts of one or two words: candidates that are too short for the similarity, and a wider search."""

import json
from pathlib import Path

import pytest

from experiments.cli.main import main
from llasa_core.lm.lineage import Lineage
from search.asks import Beam
from search.cost.budget import Budget
from search.strategies.registry import build
from tests.search.fake_world import METRICS, TreeWorld, branch_of, searched
from verifiers.base import Score

STRATEGIES = (
    "best-of-n?n=8",
    "adaptive?n=8",
    "beam?beams=2&n=4&step=10",
    "partial-prm?beams=2&n=4&step=10&seconds=0.2",
    "dvts?beams=2&n=4&step=10",
    "particle?particles=8&step=10",
    "repair?first=8&n=2&rounds=1&step=10",
)
SELECTIONS = ("wer<=0,sim", "wer,sim", "sim,wer", "wer<=0.5,ranks(sim,wer)")
SHORTEST = 25
"""Tokens that the similarity needs: half a second."""


def world(wrong: float, words: int) -> TreeWorld:
    """Every third candidate is right, and too short for the similarity; the others are long and wrong."""

    def right(lineage: Lineage) -> bool:
        return bool(lineage) and lineage[0][1] % 3 == 2

    def value(verifier: str, beam: Beam, partial: bool) -> Score:
        if verifier == "sim" and len(beam.tokens) < SHORTEST:
            return Score(-1.0, {}, False, "the audio is too short to judge", short=True)
        if verifier == "sim":
            return Score(0.99)
        evidence = {"words": words}
        return Score(0.0 if right(beam.lineage) else wrong, evidence)

    return TreeWorld(length=lambda lineage: 23 if right(lineage) else 29, value=value)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("select", SELECTIONS)
@pytest.mark.parametrize(("text", "wrong"), [("No.", 1.0), ("I.", 3.0), ("Oh no.", 0.6)])
def test_the_right_word_wins_however_short_it_is(strategy: str, select: str, text: str, wrong: float) -> None:
    if strategy.startswith("adaptive") and "<=" not in select:
        select = f"wer<=0,{select}"
    result = searched(world(wrong, 2), build(f"{strategy}&select={select}", METRICS), text=text)
    assert result.scores["wer"].value == 0 and result.satisfied
    assert result.stepped_back == ("sim",) and result.as_dict()["stepped_back"] == ["sim"]
    assert result.as_dict()["candidates"][result.winner.number]["scores"]["sim"]["short"] is True


@pytest.mark.parametrize(
    ("spec", "words", "drawn"),
    [
        ("best-of-n?n=2", 1, 8),
        ("best-of-n?n=2", 2, 8),
        ("best-of-n?n=2", 3, 2),
        ("best-of-n?n=1", 1, 1),
        ("best-of-n?n=2&wide=1", 1, 2),
        ("best-of-n?n=2&wide=3", 1, 6),
        ("best-of-n?n=2&select=wer,sim", 1, 2),
        ("adaptive?n=4", 1, 16),
        ("adaptive?n=4&wide=1", 1, 4),
        ("adaptive?n=4", 3, 4),
    ],
)
def test_one_or_two_words_get_a_wider_search_if_none_is_right(spec: str, words: int, drawn: int) -> None:
    """With the same first candidates."""
    never = TreeWorld(lambda lineage: 20, lambda *_: Score(0.5, {"words": words}))
    candidates = searched(never, build(spec, METRICS)).candidates
    assert [branch_of(Beam(one.lineage, ())) for one in candidates] == list(range(drawn))


def test_it_ends_where_one_is_right_and_where_the_budget_does() -> None:
    right = TreeWorld(
        lambda lineage: 20, lambda _, beam, __: Score(float(branch_of(beam) != 1), {"words": 1})
    )
    assert len(searched(right, build("best-of-n?n=2", METRICS)).candidates) == 2
    never = TreeWorld(lambda lineage: 20, lambda *_: Score(0.5, {"words": 1}))
    result = searched(never, build("best-of-n?n=2", METRICS), Budget(tokens=100))
    assert len(result.candidates) == 5 and result.stopped and result.ledger.tokens_generated == 100


@pytest.mark.models
def test_no_is_said_as_no(tmp_path: Path) -> None:
    """With the shipped models: the right ones last under half a second."""
    arguments = [
        "synth",
        "No.",
        "-n",
        "8",
        "--seed",
        "4",
        "-o",
        str(tmp_path / "no.wav"),
        "--json",
        str(tmp_path / "no.json"),
    ]
    assert main(arguments) == 0
    result = json.loads((tmp_path / "no.json").read_text())
    winner = result["candidates"][result["winner"]]
    assert winner["scores"]["wer"]["value"] == 0 and result["satisfied"]
    assert result["stepped_back"] == ["sim"] and result["ends"] == []
