"""Figures and tables of `experiments.studies.emotion`: means over sentences, paired differences, and whether
levels of strength come out in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from llasa_core.voices import NEUTRAL
from verifiers.stats import Interval, bootstrap_mean, paired_difference

PLAIN = "one sample"
STRENGTHS = (0.3, 0.6, 1.0)


@dataclass(frozen=True, eq=False)
class Chosen:
    """What a system chose for one sentence in one style: the measures of it, by name."""

    system: str
    sentence: int
    style: str
    voice: str
    measures: Mapping[str, float]


@dataclass(frozen=True)
class Figure:
    """Of one measure of a system. less_plain, less_best: paired differences, by sentence, from one sample and
    from best-of-N; None for these themselves."""

    mean: Interval
    less_plain: Interval | None
    less_best: Interval | None


def by_sentence(chosen: Sequence[Chosen], system: str, measure: str) -> dict[int, float]:
    """The mean over the styles, of what could be judged."""
    found: dict[int, list[float]] = {}
    for one in chosen:
        value = one.measures.get(measure, float("nan"))
        if one.system == system and not np.isnan(value):
            found.setdefault(one.sentence, []).append(value)
    return {sentence: float(np.mean(values)) for sentence, values in found.items()}


def compared(chosen: Sequence[Chosen], system: str, best: str) -> dict[str, Figure]:
    """By measure. best: the name of best-of-N."""
    found = {}
    for name in dict.fromkeys(name for one in chosen for name in one.measures):
        own = by_sentence(chosen, system, name)
        if own:
            less = {
                base: None if system == base else difference(own, by_sentence(chosen, base, name))
                for base in (PLAIN, best)
            }
            found[name] = Figure(bootstrap_mean(list(own.values())), less[PLAIN], less[best])
    return found


def difference(own: Mapping[int, float], base: Mapping[int, float]) -> Interval | None:
    both = [sentence for sentence in own if sentence in base]
    if not both:
        return None
    return paired_difference([own[one] for one in both], [base[one] for one in both])


def strengths(chosen: Sequence[Chosen]) -> dict[str, Interval]:
    """By measure, Spearman's correlation of the wanted strength and what was found, within a sentence and
    style; levels that fell on one candidate or sound equal count as 0. The mean of the styles of a sentence
    is one observation. Neutral has no strength."""
    found: dict[str, Interval] = {}
    levels = [f"strength {strength:g}" for strength in STRENGTHS]
    for name in ("emotion2vec", "prosody"):
        correlations: dict[int, list[float]] = {}
        for key in dict.fromkeys((one.sentence, one.style) for one in chosen if one.style != NEUTRAL):
            by_level = {
                one.system: one.measures.get(name, float("nan"))
                for one in chosen
                if (one.sentence, one.style) == key and one.system in levels
            }
            values = np.array([by_level[level] for level in levels])
            if not np.isnan(values).any():
                correlations.setdefault(key[0], []).append(rank_correlation(values))
        if correlations:
            found[name] = bootstrap_mean([float(np.mean(one)) for one in correlations.values()])
    return found


def rank_correlation(values: Any) -> float:
    """Spearman's, of the values and their places; 0 where all are equal."""
    from experiments.report_page.judges import spearman

    found = spearman(np.arange(len(values), dtype=np.float64), np.asarray(values, dtype=np.float64))
    return 0.0 if found is None else found


def print_table(
    console: Console, figures: Mapping[str, Mapping[str, Figure]], settings: Mapping[str, Any]
) -> None:
    searched_by = " and, in partial PRM, ".join(settings["searched by"])
    console.print(
        f"{settings['sentences']} sentences, styles {', '.join(settings['styles'])}, N = {settings['n']}, "
        f"seed {settings['seed']}; searched by {searched_by}; means over sentences "
        "[95 % intervals] and paired differences"
    )
    for name in dict.fromkeys(name for one in figures.values() for name in one):
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in (name, "mean", "n", "less one sample", "less best-of-N"):
            table.add_column(heading, justify="left" if heading == name else "right", min_width=20)
        for system, one in figures.items():
            if figure := one.get(name):
                less = [shown(gain, "+") for gain in (figure.less_plain, figure.less_best)]
                table.add_row(system, shown(figure.mean), str(figure.mean.n), *less)
        console.print(table)


def print_strengths(console: Console, chosen: Sequence[Chosen], orders: Mapping[str, Interval]) -> None:
    felt = [one for one in chosen if one.style != NEUTRAL]
    for strength in STRENGTHS:
        system = f"strength {strength:g}"
        means = [
            f"{name} {shown(bootstrap_mean(list(own.values())))}"
            for name in ("emotion2vec", "prosody")
            if (own := by_sentence(felt, system, name))
        ]
        console.print(f"{system}: {', '.join(means)}")
    for name, order in orders.items():
        told = f"{shown(order, '+')} (n = {order.n} sentences)"
        console.print(f"Spearman of wanted strength and {name}: {told}")


def shown(interval: Interval | None, sign: str = "") -> str:
    if interval is None:
        return ""
    return f"{interval.mean:{sign}.3f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


def plain_interval(interval: Interval | None) -> dict[str, float] | None:
    if interval is None:
        return None
    return {"mean": interval.mean, "low": interval.low, "high": interval.high, "n": interval.n}


def plain_figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {
        measure: {name: plain_interval(interval) for name, interval in vars(figure).items()}
        for measure, figure in figures.items()
    }
