"""The figures of a study. Every value has its 95 % interval over utterances, every axis its unit."""

from __future__ import annotations

from experiments.studies.analysis import Analysis
from experiments.studies.figures import curves, meters, worth
from experiments.studies.plots import Figure


def figures(found: Analysis) -> list[Figure]:
    """All that the table has the searches for."""
    made = [curves.quality(found, one) for one in found.qualities]
    made += [worth.equal_compute(found), worth.pareto(found)]
    made += [curves.switch(found), worth.cost(found)]
    made += [meters.hacking(found), meters.luck(found), curves.failures(found)]
    made += [meters.diversity(found), meters.beginnings(found)]
    made.append(meters.prediction(found))
    return [figure for figure in made if figure.panels]
