"""Cascades: what a stage lets through, and the order of what was asked about, dropped and unusable."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.base import Score
from verifiers.errors import VerifierError
from verifiers.selection.cascade import DEFAULT_SHARE, Cascade, Stage, not_asked
from verifiers.selection.parse import parse_selection

DIRECTIONS = {"wer": False, "sim": True, "cheap": False, "signal": False}
VALUE = st.integers(0, 4).map(lambda n: n / 4)
SCORE = st.one_of(
    VALUE.map(Score),
    st.tuples(VALUE, VALUE).map(lambda pair: Score(pair[0], {"logp": pair[1]})),
    st.just(Score(0.0, {}, False, "silent")),
    st.just(Score(0.0, {}, False, "too short", short=True)),
    st.just(Score(math.nan)),
)
KEEP = st.one_of(st.integers(2, 9).map(float), st.floats(0.01, 1))


def read(spec: str) -> Cascade:
    selection = parse_selection(spec, DIRECTIONS)
    assert isinstance(selection, Cascade)
    return selection


@pytest.mark.parametrize(
    "spec",
    [
        "keep(sim=0.25),wer<=0,sim",
        "keep(signal=0.75,cheap=4),wer<=0,sim>=0.5,ranks(sim,wer)",
        "keep(cheap=1),pareto(wer,sim)",
    ],
)
def test_the_spec_is_read_again(spec: str) -> None:
    assert read(spec).spec == spec
    assert read(read(spec).spec) == read(spec)


def test_what_is_not_said_has_a_default() -> None:
    selection = read(" keep( cheap , signal = 3 ), wer<=0, sim")
    assert selection.stages == (Stage("cheap", False, DEFAULT_SHARE), Stage("signal", False, 3))
    assert selection.metrics == ("cheap", "signal", "wer", "sim")
    assert list(map(str, selection.constraints)) == ["wer<=0"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("keep(sim=0.5)", "nothing to make best"),
        ("keep(sim=0.5),sim", "asks for nothing behind keep"),
        ("keep(),wer", "names no metric"),
        ("keep(sim,sim),wer", "names 'sim' twice"),
        ("keep(sims),wer", "did you mean 'sim'"),
        ("keep(sim=0),wer", "above 0 and at most 1"),
        ("keep(sim=1.5),wer", "above 0 and at most 1"),
        ("keep(sim=-2),wer", "above 0 and at most 1"),
        ("keep(sim=nan),wer", "above 0 and at most 1"),
        ("keep(sim=half),wer", "above 0 and at most 1"),
        ("wer<=0,keep(sim=0.5),sim", "has to stand in front"),
        ("keep(sim=0.5),keep(cheap),wer", "has to stand in front"),
        ("kep(sim=0.5),wer", "did you mean 'keep'"),
    ],
)
def test_what_cannot_be_read_is_said(spec: str, words: str) -> None:
    with pytest.raises(VerifierError, match=words.replace("(", r"\(")):
        parse_selection(spec, DIRECTIONS)


@given(KEEP, st.integers(1, 40))
def test_a_round_has_room_for_at_least_one(keep: float, count: int) -> None:
    room = Stage("sim", True, keep).room(count)
    assert 1 <= room <= count
    assert room == count or (room >= keep * count if keep <= 1 else room == keep)


@given(st.booleans(), KEEP, st.lists(SCORE, min_size=1, max_size=9))
def test_nothing_that_is_dropped_is_as_good_as_what_is_kept(
    higher: bool, keep: float, scores: list[Score]
) -> None:
    stage = Stage("metric", higher, keep)
    room = stage.room(len(scores))
    kept = stage.best(scores, room)
    dropped = set(range(len(scores))).difference(kept)
    assert kept == sorted(kept)
    assert len(kept) >= room
    assert all(scores[i].usable and math.isfinite(scores[i].value) for i in dropped), "nothing is known of it"
    told = [i for i in kept if scores[i].usable and math.isfinite(scores[i].value)]
    for i in dropped:
        assert len(told) >= room
        for k in told:
            assert (scores[k].value >= scores[i].value) if higher else (scores[k].value <= scores[i].value)
            assert stage.cost(scores[k]) < stage.cost(scores[i])
    if not told:
        assert not dropped


ROWS = st.lists(st.tuples(SCORE, SCORE, SCORE), min_size=1, max_size=8)
"""wer, sim, cheap."""
RULES = ("wer<=0.25,sim", "wer,sim", "ranks(wer,sim)", "wer<=0.25,pareto(wer,sim)", "sim>=0.5,wer")


@given(st.sampled_from(RULES), ROWS)
def test_where_nothing_was_dropped_it_is_the_rule(rule: str, rows: list[tuple[Score, Score, Score]]) -> None:
    columns = dict(zip(("wer", "sim", "cheap"), map(list, zip(*rows, strict=True)), strict=True))
    assert read(f"keep(cheap=0.5),{rule}").rank(columns) == parse_selection(rule, DIRECTIONS).rank(columns)


@given(st.sampled_from(RULES), ROWS, st.data())
def test_what_was_dropped_stands_between_the_usable_and_the_unusable(
    rule: str, rows: list[tuple[Score, Score, Score]], data: st.DataObject
) -> None:
    known = [i for i, row in enumerate(rows) if row[2].usable and math.isfinite(row[2].value)]
    dropped = data.draw(st.sets(st.sampled_from(known))) if known else set()
    dropped -= {0}  # at least one is asked about
    columns = {
        "wer": [not_asked("cheap") if i in dropped else row[0] for i, row in enumerate(rows)],
        "sim": [not_asked("cheap") if i in dropped else row[1] for i, row in enumerate(rows)],
        "cheap": [row[2] for row in rows],
    }
    selection, plain = read(f"keep(cheap=0.5),{rule}"), parse_selection(rule, DIRECTIONS)
    asked = [i for i in range(len(rows)) if i not in dropped]
    expected = plain.rank({name: [columns[name][i] for i in asked] for name in ("wer", "sim")})
    found = selection.rank(columns)
    assert sorted(found.order) == list(range(len(rows)))
    assert [i for i in found.order if i not in dropped] == [asked[i] for i in expected.order]
    assert found.satisfied == expected.satisfied
    assert found.front == tuple(asked[i] for i in expected.front)
    places = {i: place for place, i in enumerate(found.order)}
    costs = [selection.stages[0].cost(columns["cheap"][i]) for i in found.order if i in dropped]
    assert costs == sorted(costs)
    for i in asked:
        bad = not all(
            (columns[name][i].usable and math.isfinite(columns[name][i].value)) or columns[name][i].short
            for name in ("wer", "sim")
        )
        for d in dropped:
            assert not bad or places[d] < places[i]
            if found.order[0] == d:
                assert not found.satisfied, "nothing that was asked about can be judged"


def test_a_later_stage_drops_what_is_better() -> None:
    selection = read("keep(signal=3,cheap=2),wer")
    scores = {
        "signal": [Score(0.0), Score(0.0), Score(0.0), Score(2.0), Score(1.0)],
        "cheap": [Score(0.3), Score(0.2), Score(0.9), not_asked("signal"), not_asked("signal")],
        "wer": [Score(0.5), Score(0.1), not_asked("cheap"), not_asked("signal"), not_asked("signal")],
    }
    assert selection.rank(scores).order == (1, 0, 2, 4, 3)
    assert scores["wer"][3].reason == "not asked: dropped by signal"
