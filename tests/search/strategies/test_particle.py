"""The particle filter against a world without models."""

import math
from typing import Any

import pytest

from llasa_core.errors import UserError
from llasa_core.lm.lineage import Lineage
from search.asks import Beam, Branch, Extend, Measure, Start
from search.strategies.best_of_n import BestOfN
from search.strategies.particle import COLDEST, ParticleFilter, effective_size, systematic, uniform, weights
from tests.search.fake_world import TreeWorld, selection
from verifiers.base import Score
from verifiers.selection.parse import Objective

ONLY_SIM: dict[str, Any] = {"prm": selection("sim"), "verifiers": ("sim",), "selection": selection("sim")}
SIM, WER = Objective("sim", True), Objective("wer", False)


def sum_of_branches(verifier: str, beam: Beam, partial: bool) -> float:
    return sum(branch for _, branch in beam.lineage)


def test_it_asks_exactly_this() -> None:
    """Branch 3 ends early. Of the others all the weight is on 1 at first, then equal: nothing is
    resampled."""
    world = TreeWorld(
        length=lambda lineage: 1 if lineage == ((0, 3),) else 5,
        value=lambda verifier, beam, _: float((0, 1) in beam.lineage),
    )
    choice = world.choose(ParticleFilter(particles=4, step=2, temperature=0.01, **ONLY_SIM))
    beam = world.beam
    copies: list[Lineage] = [((0, 1),), ((0, 1), (2, 1)), ((0, 1), (2, 2))]
    assert world.asks == [
        Start(),
        Branch((beam(n=0),), 4),
        Extend((beam(n=0), beam((0, 1), n=0), beam((0, 2), n=0), beam((0, 3), n=0)), 2),
        Measure((beam(n=2), beam((0, 1), n=2), beam((0, 2), n=2)), "sim", True),
        Branch((beam((0, 1), n=2), beam((0, 1), n=2), beam((0, 1), n=2)), 1),
        Extend(tuple(beam(*lineage, n=2) for lineage in copies), 2),
        Measure(tuple(beam(*lineage, n=4) for lineage in copies), "sim", True),
        Extend(tuple(beam(*lineage, n=4) for lineage in copies), 2),
        Measure((*(beam(*lineage) for lineage in copies), beam((0, 3))), "sim", False),
    ]
    assert choice.ranking == (0, 1, 2, 3)


def test_weights_are_a_softmax_with_the_direction_of_the_metric() -> None:
    scores = [Score(0.0), Score(math.log(3)), Score(5.0, {}, False)]
    assert weights(scores, SIM, 1.0) == pytest.approx([0.25, 0.75, 0.0])
    assert weights(scores, WER, 1.0) == pytest.approx([0.75, 0.25, 0.0])
    assert weights(scores, SIM, 0.5) == pytest.approx([0.1, 0.9, 0.0])
    assert weights([Score(1e6), Score(0.0)], SIM, 1e-3) == [1.0, 0.0]
    assert weights([Score(math.nan), Score(1.0, {}, False)], SIM, 1.0) == []


def test_effective_size() -> None:
    assert effective_size([0.25] * 4) == pytest.approx(4)
    assert effective_size([1.0, 0.0, 0.0, 0.0]) == pytest.approx(1)
    assert effective_size([0.5, 0.5, 0.0, 0.0]) == pytest.approx(2)


@pytest.mark.parametrize(
    ("found", "drawn", "chosen"),
    [
        ([0.25, 0.25, 0.25, 0.25], 0.7, [0, 1, 2, 3]),
        ([0.5, 0.25, 0.25, 0.0], 0.5, [0, 0, 1, 2]),
        ([0.1, 0.6, 0.3, 0.0], 0.0, [0, 1, 1, 2]),  # marks 0, 0.25, 0.5, 0.75
        ([0.1, 0.6, 0.3, 0.0], 0.5, [1, 1, 1, 2]),  # marks 0.125, 0.375, 0.625, 0.875
        ([0.0, 1.0, 0.0], 0.99, [1, 1, 1]),
        ([0.1] * 10, 0.3, list(range(10))),
        ([0.1, 0.1, 0.1, 0.7, 0.0], 1 - 2**-53, [1, 3, 3, 3, 3]),  # the last mark is rounded to 1
    ],
)
def test_systematic_resampling(found: list[float], drawn: float, chosen: list[int]) -> None:
    assert systematic(found, drawn) == chosen


def test_resampling_is_unbiased() -> None:
    """Over evenly spaced numbers the copies of each are its weight times the count."""
    found, rounds = [0.05, 0.4, 0.0, 0.35, 0.2], 1000
    copies = [0] * 5
    for k in range(rounds):
        for index in systematic(found, (k + 0.5) / rounds):
            copies[index] += 1
    assert [number / rounds for number in copies] == pytest.approx(
        [5 * weight for weight in found], abs=0.002
    )


def test_the_random_number_depends_on_seed_and_step() -> None:
    drawn = [uniform(seed, index) for seed in range(30) for index in range(30)]
    assert len(set(drawn)) == 900
    assert all(0 <= number < 1 for number in drawn)
    assert abs(sum(drawn) / 900 - 0.5) < 0.05
    assert uniform(7, 3) == uniform(7, 3)


def test_it_finds_the_best_leaf_at_a_low_temperature() -> None:
    """Copies number 0, 1, ... of the best particle: 7 of the first fork, then always the last copy."""
    world = TreeWorld(length=lambda lineage: 6, value=sum_of_branches)
    choice = world.choose(ParticleFilter(particles=8, step=2, temperature=1e-3, **ONLY_SIM))
    assert choice.beams[choice.ranking[0]].lineage == ((0, 7), (2, 7), (4, 7))


def test_no_temperature_is_so_high_that_it_costs_a_particle() -> None:
    """With nearly equal weights nothing is resampled: the candidates are those of best-of-N."""
    worlds = [TreeWorld(length=lambda lineage: 6, value=sum_of_branches) for _ in range(2)]
    filtered = worlds[0].choose(ParticleFilter(particles=4, step=2, temperature=1e6, **ONLY_SIM))
    assert filtered == worlds[1].choose(BestOfN(n=4, verifiers=("sim",), selection=selection("sim")))


def test_without_resampling_it_is_best_of_n_and_measures_nothing_on_the_way() -> None:
    worlds = [TreeWorld(length=lambda lineage: 6, value=sum_of_branches) for _ in range(2)]
    filtered = worlds[0].choose(ParticleFilter(particles=4, step=2, resample_below=0.0, **ONLY_SIM))
    assert filtered == worlds[1].choose(BestOfN(n=4, verifiers=("sim",), selection=selection("sim")))
    assert worlds[0].measured("sim", partial=True) == []


def test_there_are_as_many_candidates_as_particles() -> None:
    world = TreeWorld(length=lambda lineage: 3 + sum(map(sum, lineage)) % 7, value=sum_of_branches)
    choice = world.choose(ParticleFilter(particles=9, step=2, temperature=0.3, **ONLY_SIM))
    assert len(choice.beams) == 9
    assert len({beam.lineage for beam in choice.beams}) == 9
    assert all(
        len({len(beam.tokens) for beam in beams}) == 1 for beams in world.measured("sim", partial=True)
    )


def test_a_particle_that_ends_early_competes() -> None:
    world = TreeWorld(
        length=lambda lineage: 1 if lineage == ((0, 1),) else 6,
        value=lambda verifier, beam, _: 100.0 if beam.lineage == ((0, 1),) else 0.0,
    )
    choice = world.choose(ParticleFilter(particles=4, step=2, **ONLY_SIM))
    assert choice.beams[choice.ranking[0]] == world.beam((0, 1))


def test_unusable_particles_have_no_copies_and_never_win() -> None:
    world = TreeWorld(
        length=lambda lineage: 4,
        value=lambda verifier, beam, partial: Score(
            1e9 if (0, 3) in beam.lineage else 0.5, {}, beam.lineage[:1] not in [((0, 3),), ()], "silent"
        ),
    )
    choice = world.choose(ParticleFilter(particles=4, step=2, resample_below=1.0, **ONLY_SIM))
    assert {beam.lineage[0] for beam in choice.beams} == {(0, 1), (0, 2)}
    assert len(choice.beams) == 4


def test_where_nothing_can_be_judged_all_are_kept() -> None:
    world = TreeWorld(length=lambda lineage: 4, value=lambda *_: Score(0.0, {}, False, "too short"))
    choice = world.choose(ParticleFilter(particles=3, step=2, resample_below=1.0, **ONLY_SIM))
    assert [beam.lineage for beam in choice.beams] == [(), ((0, 1),), ((0, 2),)]


def test_it_runs_twice_alike_and_the_seed_matters() -> None:
    def lineages(seed: int) -> list[Lineage]:
        world = TreeWorld(length=lambda lineage: 20, value=sum_of_branches)
        strategy = ParticleFilter(
            particles=6, step=2, temperature=3.0, resample_below=1.0, seed=seed, **ONLY_SIM
        )
        return [beam.lineage for beam in world.choose(strategy).beams]

    assert lineages(1) == lineages(1)
    assert len({tuple(lineages(seed)) for seed in range(5)}) == 5


@pytest.mark.parametrize("rule", ["sim,wer", "wer<=0,sim"])
def test_several_metrics_cannot_weigh(rule: str) -> None:
    with pytest.raises(UserError, match=f"prm={rule} of particle: particles are weighted by one metric"):
        ParticleFilter(**{**ONLY_SIM, "prm": selection(rule)})


@pytest.mark.parametrize("values", [(1e308, -1e308), (1e308, 1e308), (5e-324, 0.0), (-1e308, 0.5)])
def test_scores_of_any_size_have_weights(values: tuple[float, float]) -> None:
    """At the lowest temperature too: dividing by it overflows nothing."""
    found = weights([Score(value) for value in values], Objective("sim", True), COLDEST)
    assert math.isclose(math.fsum(found), 1.0)
    assert (found[0] >= found[1]) == (values[0] >= values[1])
