"""What has to hold of every rule, and each rule against a plain statement of itself."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.base import Score
from verifiers.errors import VerifierError
from verifiers.selection.parse import Pareto, Ranking, Selection, parse_selection
from verifiers.selection.rules import fractional_ranks, pareto_fronts

DIRECTIONS = {"wer": False, "sim": True, "mos": True}
RULES = (
    "sim",
    "wer,sim,mos",
    "weighted(sim=0.7,wer=2,mos=0.1)",
    "ranks(sim,wer,mos)",
    "ranks(sim=2,wer,mos=0.25)",
    "pareto(wer,sim,mos)",
)
SPECS = (*RULES, *(f"wer<=0.3,{rule}" for rule in RULES), "wer<=0.3,sim>=0.5,pareto(sim,mos)")

Rows = list[tuple[float, float, float]]
VALUE = st.one_of(st.integers(0, 4).map(lambda n: n / 4), st.floats(0, 1, allow_subnormal=False))
ROWS = st.lists(st.tuples(VALUE, VALUE, VALUE), min_size=1, max_size=9)
SPEC = st.sampled_from(SPECS)


def scores(rows: Rows, unusable: frozenset[int] = frozenset()) -> dict[str, list[Score]]:
    """By metric. What is unusable has a value that would win."""
    columns = zip(DIRECTIONS, zip(*rows, strict=True), strict=True) if rows else ()
    return {
        metric: [
            Score(9.0 if higher else -9.0, {}, False, "silent") if i in unusable else Score(value)
            for i, value in enumerate(column)
        ]
        for metric, column in columns
        for higher in [DIRECTIONS[metric]]
    }


def read(spec: str) -> Selection:
    return parse_selection(spec, DIRECTIONS)


@given(SPEC, ROWS, st.data())
def test_the_order_of_the_candidates_does_not_matter_up_to_ties(
    spec: str, rows: Rows, data: st.DataObject
) -> None:
    ranking = read(spec).rank(scores(rows))
    assert sorted(ranking.order) == list(range(len(rows)))
    moved = data.draw(st.permutations(range(len(rows))))
    again = read(spec).rank(scores([rows[i] for i in moved]))
    assert again.satisfied == ranking.satisfied
    if len(set(rows)) == len(rows) and not has_ties(spec, rows):
        assert [moved[i] for i in again.order] == list(ranking.order)
        assert {moved[i] for i in again.front} == set(ranking.front)


def has_ties(spec: str, rows: Rows) -> bool:
    """Whether lineage order decides anything: then the reverse order of candidates gives another ranking."""
    last = len(rows) - 1
    forwards, backwards = read(spec).rank(scores(rows)), read(spec).rank(scores(rows[::-1]))
    return [last - i for i in backwards.order] != list(forwards.order)


@given(SPEC, ROWS, st.data())
def test_a_better_metric_never_gives_a_worse_place(spec: str, rows: Rows, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(rows) - 1))
    metric = data.draw(st.integers(0, 2))
    gain = data.draw(st.floats(0, 1, allow_subnormal=False))
    better = list(rows[index])
    better[metric] += gain if list(DIRECTIONS.values())[metric] else -gain
    improved = [*rows[:index], (better[0], better[1], better[2]), *rows[index + 1 :]]
    before = read(spec).rank(scores(rows)).order.index(index)
    assert read(spec).rank(scores(improved)).order.index(index) <= before


@given(SPEC, ROWS, st.data())
def test_what_could_not_be_judged_is_last_and_changes_nothing_else(
    spec: str, rows: Rows, data: st.DataObject
) -> None:
    unusable = frozenset(data.draw(st.sets(st.integers(0, len(rows) - 1))))
    kept = [i for i in range(len(rows)) if i not in unusable]
    ranking = read(spec).rank(scores(rows, unusable))
    assert ranking.order[len(kept) :] == tuple(sorted(unusable))
    if kept:
        alone = read(spec).rank(scores([rows[i] for i in kept]))
        assert ranking.order[: len(kept)] == tuple(kept[i] for i in alone.order)
        assert ranking.front == tuple(kept[i] for i in alone.front)
        assert ranking.satisfied == alone.satisfied
    else:
        assert ranking == Ranking(tuple(range(len(rows))), satisfied=False)


TOO_SHORT = Score(-1.0, {}, False, "too short", short=True)


@given(SPEC, ROWS, st.data())
def test_what_is_too_short_for_a_metric_goes_behind_the_last_that_is_as_good_by_the_others(
    spec: str, rows: Rows, data: st.DataObject
) -> None:
    """The others keep their order, and the metric that stepped back decides nothing."""
    short = frozenset(data.draw(st.sets(st.integers(0, len(rows) - 1))))
    values = scores(rows)
    values["sim"] = [TOO_SHORT if i in short else score for i, score in enumerate(values["sim"])]
    selection = read(spec)
    ranking = selection.rank(values)
    assert sorted(ranking.order) == list(range(len(rows)))
    kept = [i for i in range(len(rows)) if i not in short]
    if kept:
        alone = selection.rank(scores([rows[i] for i in kept]))
        assert [i for i in ranking.order if i in kept] == [kept[i] for i in alone.order]
    if selection.metrics == ("sim",):
        assert not short or set(ranking.order[len(kept) :]) == short
    if "mos" in selection.metrics or "wer" in selection.metrics:
        for i in short:
            for other in kept:
                if rows[i][0] == rows[other][0] and rows[i][2] == rows[other][2] and "sim>=" not in spec:
                    assert ranking.order.index(other) < ranking.order.index(i), "judged before unjudged"


@pytest.mark.parametrize(
    "spec",
    [
        *("wer,sim", "wer<=0,sim", "sim,wer", "ranks(sim,wer)", "weighted(sim=1,wer=1)", "pareto(wer,sim)"),
        *("wer<=0,ranks(sim)", "wer<=0,pareto(sim,wer)", "ranks(sim=9,wer)", "wer<=0.5,wer,sim"),
    ],
)
def test_the_words_decide_where_similarity_cannot_judge(spec: str) -> None:
    """Two right readings that are too short for the similarity, three long ones that are wrong."""
    wrong = [Score(1.0), Score(3.0), Score(2.0)]
    values = {"wer": [wrong[0], Score(0.0), wrong[1], Score(0.0, {"logp": -0.1}), wrong[2]]}
    values["sim"] = [Score(0.9), TOO_SHORT, Score(0.8), TOO_SHORT, Score(0.95)]
    ranking = read(spec).rank(values)
    assert ranking.order[:2] == (3, 1)
    assert ranking.satisfied
    values["wer"][4] = Score(0.0)
    assert read(spec).rank(values).order[:3] == (4, 3, 1), "judged by both, and as good by the words"
    values["wer"][4] = Score(0.0, {}, False, "silent")
    assert read(spec).rank(values).order[-1] == 4


def test_a_bound_that_could_not_be_checked_is_not_met_and_loses_to_no_miss() -> None:
    values = {"wer": [Score(1.0), Score(0.0), Score(0.0)], "sim": [Score(0.9), TOO_SHORT, Score(0.1)]}
    ranking = read("wer<=0,sim>=0.5,sim").rank(values)
    assert (ranking.order, ranking.satisfied) == ((1, 2, 0), False)
    values["sim"][2] = Score(0.5)
    ranking = read("wer<=0,sim>=0.5,sim").rank(values)
    assert (ranking.order, ranking.satisfied) == ((2, 1, 0), True)


def test_what_is_too_short_for_the_words_or_for_all_metrics_is_last() -> None:
    """No recogniser says `short`: what it cannot hear has no words."""
    silent = Score(1.0, {}, False, "too short")
    values = {"wer": [silent, Score(2.0), Score(3.0)], "sim": [TOO_SHORT, TOO_SHORT, Score(-0.5)]}
    assert read("wer,sim").rank(values).order == (1, 2, 0)
    alone = {"sim": [TOO_SHORT, Score(-0.9), TOO_SHORT]}
    assert read("sim").rank(alone) == Ranking((1, 0, 2), satisfied=True)
    assert read("sim>=0.5,sim").rank({"sim": [TOO_SHORT] * 2}) == Ranking((0, 1), satisfied=False)


def test_thousands_that_are_too_short_are_ranked_in_no_time() -> None:
    values = {"wer": [Score(i % 7 / 7) for i in range(4096)]}
    values["sim"] = [TOO_SHORT if i % 2 else Score(i / 4096) for i in range(4096)]
    order = read("wer<=0.5,ranks(wer,sim)").rank(values).order
    assert sorted(order) == list(range(4096))


@given(SPEC, st.integers(2, 6))
def test_equal_candidates_keep_their_order_unless_one_is_likelier(spec: str, count: int) -> None:
    metric = read(spec).metrics[0]
    values = scores([(0.1, 0.6, 0.5)] * count)
    assert read(spec).rank(values).order == tuple(range(count))
    values[metric][-1] = Score(values[metric][-1].value, {"logp": -0.5})
    assert read(spec).rank(values).order == (count - 1, *range(count - 1))


NAMES = st.lists(st.sampled_from(sorted(DIRECTIONS)), min_size=1, max_size=3, unique=True)
NUMBER = st.floats(1e-6, 1e6, allow_subnormal=False)


@given(NAMES, st.lists(NUMBER, min_size=3, max_size=3), st.lists(st.floats(-1e6, 1e6), max_size=2))
def test_every_spec_is_read_and_written_back(
    names: list[str], weights: list[float], bounds: list[float]
) -> None:
    weighted = ",".join(f"{name}={weight!r}" for name, weight in zip(names, weights, strict=False))
    constraints = "".join(f"wer{sign}{bound!r}," for sign, bound in zip(("<=", ">="), bounds, strict=False))
    for rule in (
        ",".join(names),
        f"weighted({weighted})",
        f"ranks({weighted})",
        f"ranks({','.join(names)})",
        f"pareto({','.join(names)})",
    ):
        selection = read(constraints + rule)
        assert read(selection.spec) == selection
        assert read(selection.spec).spec == selection.spec
        assert set(names) <= set(selection.metrics)


@given(st.lists(st.tuples(VALUE, VALUE), min_size=1, max_size=10))
def test_pareto_fronts_against_brute_force(pairs: list[tuple[float, float]]) -> None:
    def beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
        return a != b and a[0] <= b[0] and a[1] <= b[1]

    fronts: dict[int, int] = {}
    while len(fronts) < len(pairs):
        left = [i for i in range(len(pairs)) if i not in fronts]
        unbeaten = [i for i in left if not any(beats(pairs[j], pairs[i]) for j in left)]
        fronts |= dict.fromkeys(unbeaten, max(fronts.values(), default=-1) + 1)
    assert pareto_fronts(np.array(pairs).T) == [fronts[i] for i in range(len(pairs))]
    values = {"wer": [Score(wer) for wer, _ in pairs], "sim": [Score(1.0 - loss) for _, loss in pairs]}
    ranking = read("pareto(wer,sim)").rank(values)
    turned = [(wer, -(1.0 - loss)) for wer, loss in pairs]
    unbeaten = {i for i, a in enumerate(turned) if not any(beats(b, a) for b in turned)}
    assert set(ranking.front) == unbeaten
    assert ranking.order[: len(ranking.front)] == ranking.front


@given(st.lists(VALUE, min_size=1, max_size=5))
def test_places_are_the_mean_over_all_ways_to_order_equal_values(row: list[float]) -> None:
    orders = [order for order in permutations(range(len(row))) if [row[i] for i in order] == sorted(row)]
    means = [sum(order.index(i) for order in orders) / len(orders) for i in range(len(row))]
    np.testing.assert_allclose(fractional_ranks(np.array([row]))[0] * max(len(row) - 1, 1), means)


def test_weights_are_in_the_units_of_the_metrics() -> None:
    values = scores([(0.0, 0.6, 0.0), (0.1, 0.7, 0.0), (0.5, 0.95, 0.0)])
    assert read("weighted(sim=1,wer=0.5)").rank(values).order == (2, 1, 0)
    assert read("weighted(sim=1,wer=2)").rank(values).order == (0, 1, 2)
    assert read("weighted(sim=1,wer=2)").rank(values) == Ranking((0, 1, 2), satisfied=True)


def test_ranks_know_no_units() -> None:
    rows = [(0.0, 0.2, 0.0), (0.1, 0.9, 0.0), (0.2, 0.8, 0.0), (0.9, 0.1, 0.0)]
    stretched = [(1000 * wer, sim**9, mos) for wer, sim, mos in rows]
    assert read("ranks(sim,wer)").rank(scores(rows)).order == (1, 0, 2, 3)
    assert read("ranks(sim,wer)").rank(scores(stretched)).order == (1, 0, 2, 3)
    assert read("ranks(sim=0.1,wer=3)").rank(scores(rows)).order == (0, 1, 2, 3)


def test_the_even_compromise_comes_first_on_a_front_and_all_of_it_is_there() -> None:
    rows = [(0.0, 0.1, 0.0), (0.3, 0.9, 0.0), (0.1, 0.8, 0.0), (0.2, 0.7, 0.0), (0.4, 0.2, 0.0)]
    ranking = read("pareto(wer,sim)").rank(scores(rows))
    assert ranking.front == (2, 1, 0)
    assert ranking.order == (2, 1, 0, 3, 4)


def test_what_fails_a_constraint_has_no_part_in_the_order_of_the_rest() -> None:
    """Without the first candidate the two others have other places: it must not count."""
    rows = [(0.9, 0.5, 0.5), (0.0, 0.4, 0.8), (0.0, 0.6, 0.4)]
    values = scores(rows)
    ranking = read("wer<=0,ranks(sim=1.1,mos)").rank(values)
    assert ranking.order == (2, 1, 0)
    front = read("wer<=0,pareto(sim,mos)").rank(values)
    assert (front.front, front.order, front.satisfied) == ((1, 2), (1, 2, 0), True)
    none = read("wer<=-1,pareto(sim,mos)").rank(values)
    assert (set(none.front), none.satisfied) == ({1, 2}, False)


def test_values_that_are_not_finite_cannot_be_judged() -> None:
    values = {"wer": [Score(math.nan), Score(1.0)], "sim": [Score(1.0), Score(-1.0)]}
    for spec in ("weighted(wer=1,sim=1)", "ranks(wer,sim)", "pareto(wer,sim)", "wer<=0,ranks(sim)"):
        assert read(spec).rank(values).order == (1, 0)
        assert read(spec).rank({"wer": [], "sim": []}) == Ranking((), satisfied=False)


def test_weights_are_no_part_of_pareto() -> None:
    assert read("pareto(wer,sim)") == Pareto(read("weighted(wer=1,sim=1)").objectives)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("weighted(sim=1,wre=2)", "'wre', which no verifier measures: did you mean 'wer'"),
        ("weigthed(sim=1)", "rule 'weigthed': did you mean 'weighted'"),
        ("weighted(sim,wer=2)", "'sim' .* has no weight: write it like 'weighted\\(sim=0.7\\)'"),
        ("weighted(sim=-1)", "above 0"),
        ("weighted(sim=0)", "above 0"),
        ("ranks(sim=x)", "above 0"),
        ("ranks(sim=inf)", "above 0"),
        ("ranks()", "names no metric"),
        ("ranks(sim,sim)", "twice"),
        ("pareto(sim=2,wer)", "without weights"),
        ("pareto(sim,wer),mos", "two rules"),
        ("pareto(sim),ranks(wer)", "two rules: end it with one"),
        ("wer<=0,weighted(sim=1", "cannot read"),
        ("ranks(sim))", "cannot read"),
        ("ranks(wer<=0)", "cannot read"),
        ("sim; wer", "cannot read 'sim; wer'"),
    ],
)
def test_bad_rules_say_what_to_write(spec: str, says: str) -> None:
    with pytest.raises(VerifierError, match=says) as caught:
        parse_selection(spec, DIRECTIONS)
    assert "\n" not in str(caught.value)
