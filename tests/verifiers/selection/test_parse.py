"""Selections: constraints, objectives, ties, and what could not be judged."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.base import Score
from verifiers.errors import VerifierError
from verifiers.selection.parse import Ranking, parse_selection

DIRECTIONS = {"wer": False, "sim": True}


def scores(wer: list[float], sim: list[float] | None = None) -> dict[str, list[Score]]:
    found = {"wer": [Score(value) for value in wer]}
    return found if sim is None else {**found, "sim": [Score(value) for value in sim]}


def test_of_those_that_keep_the_constraint_the_most_similar_wins() -> None:
    selection = parse_selection("wer<=0.02,sim", DIRECTIONS)
    ranking = selection.rank(scores([0.0, 0.5, 0.02, 0.1], [0.6, 0.9, 0.8, 0.99]))
    assert ranking == Ranking((2, 0, 3, 1), satisfied=True)
    assert selection.metrics == ("wer", "sim")


def test_if_none_keeps_it_the_least_violation_wins_and_is_flagged() -> None:
    ranking = parse_selection("wer<=0.02,sim", DIRECTIONS).rank(scores([0.5, 0.1, 0.1], [0.9, 0.3, 0.4]))
    assert ranking == Ranking((2, 1, 0), satisfied=False)


def test_lower_bounds() -> None:
    ranking = parse_selection("sim>=0.7,wer", DIRECTIONS).rank(scores([0.0, 0.1, 0.2], [0.6, 0.7, 0.9]))
    assert ranking == Ranking((1, 2, 0), satisfied=True)


def test_single_objectives_follow_their_direction() -> None:
    values = scores([0.3, 0.1, 0.2], [0.3, 0.1, 0.2])
    assert parse_selection("wer", DIRECTIONS).rank(values).order == (1, 2, 0)
    assert parse_selection("sim", DIRECTIONS).rank(values).order == (0, 2, 1)


def test_a_second_objective_decides_where_the_first_is_equal() -> None:
    ranking = parse_selection("wer,sim", DIRECTIONS).rank(scores([0.1, 0.0, 0.0], [0.9, 0.3, 0.4]))
    assert ranking.order == (2, 1, 0)


def test_ties_break_by_log_likelihood_and_then_by_order() -> None:
    values = {"wer": [Score(0.0, {"logp": p}) for p in (-1.0, -0.5, -0.5)] + [Score(0.0)]}
    assert parse_selection("wer", DIRECTIONS).rank(values).order == (1, 2, 0, 3)


def test_what_could_not_be_judged_comes_last_whatever_its_value() -> None:
    values = {
        "wer": [Score(0.0, {}, False, "silent"), Score(1.0), Score(math.nan), Score(0.0)],
        "sim": [Score(0.9), Score(-1.0), Score(0.9), Score(0.9, {}, False, "too short")],
    }
    assert parse_selection("wer<=0,sim", DIRECTIONS).rank(values) == Ranking((1, 0, 2, 3), satisfied=False)
    nothing = {"wer": [Score(1.0, {}, False, "silent")] * 2}
    assert parse_selection("wer", DIRECTIONS).rank(nothing) == Ranking((0, 1), satisfied=False)


def test_no_candidates() -> None:
    assert parse_selection("wer", DIRECTIONS).rank({"wer": []}) == Ranking((), satisfied=False)


UNIT = st.floats(0, 1, allow_nan=False).map(lambda value: round(value, 1))


@given(st.lists(st.tuples(UNIT, UNIT), min_size=1, max_size=12))
def test_every_candidate_is_ranked_and_more_candidates_never_make_the_winner_worse(
    pairs: list[tuple[float, float]],
) -> None:
    selection = parse_selection("wer<=0.2,sim", DIRECTIONS)
    ranking = selection.rank(scores([w for w, _ in pairs], [s for _, s in pairs]))
    assert sorted(ranking.order) == list(range(len(pairs)))
    best = pairs[ranking.order[0]]
    if any(w <= 0.2 for w, _ in pairs):
        assert ranking.satisfied
        assert best == (best[0], max(s for w, s in pairs if w <= 0.2))
    else:
        assert not ranking.satisfied
        assert best[0] == min(w for w, _ in pairs)


def test_specs_are_read_and_written_back() -> None:
    selection = parse_selection(" wer <= 2e-2 , sim>=0.5,sim,wer", DIRECTIONS)
    assert selection.spec == "wer<=0.02,sim>=0.5,sim,wer"
    assert parse_selection(selection.spec, DIRECTIONS) == selection


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("", "nothing to make best"),
        ("wer<=0.02", "nothing to make best"),
        ("wer<=x,sim", "no number"),
        ("wer<=nan,sim", "no number"),
        ("wer<0.02,sim", "cannot read"),
        ("wre,sim", "did you mean 'wer'"),
        ("sim,sim", "twice"),
    ],
)
def test_bad_specs_say_what_to_write(spec: str, says: str) -> None:
    with pytest.raises(VerifierError, match=says):
        parse_selection(spec, DIRECTIONS)


def test_scores_that_are_not_there_are_named() -> None:
    with pytest.raises(VerifierError, match="no scores of sim"):
        parse_selection("wer<=0,sim", DIRECTIONS).rank(scores([0.0]))
    with pytest.raises(VerifierError, match="different numbers"):
        parse_selection("wer<=0,sim", DIRECTIONS).rank(scores([0.0], [0.1, 0.2]))


@pytest.mark.parametrize(
    "spec",
    [
        *(
            f"{rule}(sim={weight},wer=1)"
            for rule in ("ranks", "weighted")
            for weight in ("1e308", "1e10", "1e-320")
        ),
        *("wer<=1e308,sim", "wer<=-1e308,sim<=-1e308,sim", "sim>=1e10,wer"),
    ],
)
def test_numbers_whose_sums_are_none_are_refused_with_one_that_is_allowed(spec: str) -> None:
    with pytest.raises(VerifierError, match=r"from 1e-09 to 1e\+09|at most 1e\+09"):
        parse_selection(spec, {"wer": False, "sim": True})
