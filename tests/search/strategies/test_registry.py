"""Strategies from spec strings and mappings."""

import math
from typing import Any

import pytest

from llasa_core.errors import UserError
from search.strategies.adaptive import Adaptive
from search.strategies.beam import BeamSearch
from search.strategies.best_of_n import BestOfN
from search.strategies.dvts import DVTS
from search.strategies.partial_prm import PartialPRM
from search.strategies.particle import ParticleFilter
from search.strategies.registry import build
from search.strategies.repair import Repair
from tests.search.fake_world import METRICS, selection
from verifiers.errors import VerifierError

VERIFIERS = ("wer", "sim")
CHOICE: dict[str, Any] = {"verifiers": VERIFIERS, "selection": selection("wer<=0,sim")}
PRM: dict[str, Any] = {"prm": selection("sim"), **CHOICE}


@pytest.mark.parametrize(
    ("spec", "strategy"),
    [
        ("best-of-n", BestOfN(n=16, verifiers=VERIFIERS, selection=selection("wer<=0,sim"))),
        ("best-of-n?n=3&select=wer,sim", BestOfN(n=3, verifiers=VERIFIERS, selection=selection("wer,sim"))),
        ("best-of-n?n=3&verifiers=sim", BestOfN(n=3, verifiers=("sim",), selection=selection("sim"))),
        ("beam", BeamSearch(**PRM)),
        (
            "beam?beams=2&n=8&step=50&prm=wer,sim",
            BeamSearch(beams=2, n=8, step=50, **{**PRM, "prm": selection("wer,sim")}),
        ),
        ("partial-prm?beams=4&n=4&seconds=2&prm=sim&select=wer<=0,sim", PartialPRM(**PRM)),
        ("partial-prm?seconds=inf", PartialPRM(seconds=math.inf, **PRM)),
        ("dvts?beams=8&n=2", DVTS(beams=8, n=2, **PRM)),
        (
            "particle?particles=4&temperature=0.2&resample_below=1&seed=5",
            ParticleFilter(particles=4, temperature=0.2, resample_below=1.0, seed=5, **PRM),
        ),
        ("adaptive?n=8&first=2", Adaptive(n=8, first=2, **CHOICE)),
        (
            "repair",
            Repair(first=BestOfN(n=4, verifiers=VERIFIERS, selection=selection("wer<=0,sim")), **CHOICE),
        ),
        (
            "repair?first=2&n=3&rounds=5&budget=900&step=10&margin=2",
            Repair(
                first=BestOfN(n=2, verifiers=VERIFIERS, selection=selection("wer<=0,sim")),
                n=3,
                rounds=5,
                budget=900,
                step=10,
                margin=2,
                **CHOICE,
            ),
        ),
        ("repair?first=dvts?beams=3", Repair(first=DVTS(beams=3, **PRM), **CHOICE)),
        (
            "repair?first=beam%3Fbeams=3%26n=2&n=5",
            Repair(first=BeamSearch(beams=3, n=2, **PRM), n=5, **CHOICE),
        ),
    ],
)
def test_specs(spec: str, strategy: Any) -> None:
    assert build(spec, METRICS) == strategy


def test_recipes_are_mappings_with_numbers_and_lists() -> None:
    recipe = {"name": "partial-prm", "beams": 2, "seconds": 1.5, "verifiers": ["wer", "sim"], "n": None}
    assert build(recipe, METRICS) == PartialPRM(beams=2, seconds=1.5, **PRM)
    assert build({"name": "partial-prm", "seconds": math.inf}, METRICS) == PartialPRM(seconds=math.inf, **PRM)
    nested = {"name": "repair", "first": {"name": "best-of-n", "n": 3, "select": "wer,sim"}}
    assert build(nested, METRICS) == Repair(
        first=BestOfN(n=3, verifiers=VERIFIERS, selection=selection("wer,sim")), **CHOICE
    )
    assert build({"name": "repair", "first": 3}, METRICS) == build("repair?first=3", METRICS)
    assert nested == {"name": "repair", "first": {"name": "best-of-n", "n": 3, "select": "wer,sim"}}


def test_defaults_depend_on_the_verifiers() -> None:
    emotion = build("beam", {"emo": True})
    assert isinstance(emotion, BeamSearch)
    assert (emotion.prm.spec, emotion.selection.spec, emotion.verifiers) == ("emo", "emo", ("emo",))
    three = build("beam?select=mos", {**METRICS, "mos": True})
    assert isinstance(three, BeamSearch)
    assert (three.prm.spec, three.selection.spec) == ("sim", "mos")
    assert three.verifiers == ("wer", "sim", "mos")
    with pytest.raises(UserError, match="--select"):  # a third verifier is not passed over in silence
        build("beam", {**METRICS, "mos": True})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("beem", "no strategy 'beem': did you mean 'beam'"),
        ("beam?bems=3", "beam has no option 'bems': did you mean 'beams'"),
        ("beam?beams=x", "beams=x of beam: has to be a whole number"),
        ("beam?beams=2.5", "beams=2.5 of beam: has to be a whole number"),
        ("beam?beams=0", "beams=0 of beam: has to be at least 1"),
        ("beam?name=dvts", "beam has no option 'name'"),
        ("beam:nano2", "cannot read the strategy 'beam:nano2'"),
        ("beam?beams", "cannot read the strategy"),
        ("beam?beams=1&beams=2", "cannot read the strategy .* each option once"),
        ("", "cannot read the strategy ''"),
        ("partial-prm?seconds=long", "seconds=long of partial-prm: has to be a number"),
        ("partial-prm?seconds=-1", "seconds=-1 of partial-prm: has to be at least 0"),
        ("adaptive?select=sim", "'sim' has none: add one"),
        ("particle?prm=sim,wer", "weighted by one metric"),
        ("beam?verifiers=wer,smi", "beam asks for the verifier 'smi': did you mean 'sim'"),
        ("beam?verifiers=wer&select=sim", "nothing measures sim"),
        ("repair?first=bem", "no strategy 'bem': did you mean 'beam'"),
        ("repair?first=0", "at least 1"),
        ("repair?verifiers=sim", "nothing measures wer, by which repair finds wrong words"),
        ({"beams": 3}, "has no name: give one"),
        ({"name": "beam", "beams": True}, "beams=True of beam: give a number or text"),
        ({"name": "beam", "prm": {"sim": 1}}, "of beam: give a number or text"),
        ({"name": "repair", "first": [1]}, "first=.* of repair"),
    ],
)
def test_errors_name_cause_and_cure(spec: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(spec, METRICS)


@pytest.mark.parametrize("option", ["prm", "select"])
def test_an_unknown_metric_is_answered_with_the_nearest(option: str) -> None:
    with pytest.raises(VerifierError, match="did you mean 'sim'"):
        build(f"beam?{option}=simm", METRICS)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("best-of-n", "say how mos, loud chooses, such as --select mos"),
        ("beam?select=mos", "say which of mos, loud prunes beams, such as prm=mos"),
    ],
)
def test_what_cannot_be_guessed_is_asked_for(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(spec, {"mos": True, "loud": True})


@pytest.mark.parametrize(
    ("metrics", "select", "prm"),
    [
        (("wer", "sim", "emo"), "wer<=0,sim>=0.86,emo", "emo"),
        (("wer", "emo-sim"), "wer<=0,emo-sim", "emo-sim"),
        (("wer", "sim", "emo", "emo-sim"), "wer<=0,sim>=0.86,ranks(emo,emo-sim)", "sim"),
    ],
)
def test_an_emotion_comes_behind_words_and_voice(metrics: tuple[str, ...], select: str, prm: str) -> None:
    """And it is what prunes beams, as in the paper's experiments with emotions."""
    found = build("partial-prm", dict.fromkeys(metrics, True))
    assert isinstance(found, PartialPRM)
    assert (found.selection.spec, found.prm.spec) == (select, prm)
