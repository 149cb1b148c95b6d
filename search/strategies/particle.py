"""Particle filtering (Puri et al. 2025, "A probabilistic inference approach to inference-time scaling of
LLMs using particle-based Monte Carlo methods", arXiv 2502.01618, algorithm 1).

Where beam search keeps the top beams of a reward that is only a guess, particles survive in proportion to
it, so a misjudged beginning has its chance. Resampling is systematic (Kitagawa 1996): of all schemes with
one random number it changes the population least.
"""

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from llasa_core.errors import UserError
from llasa_core.lm.lineage import row_key, uniforms
from search.asks import Beams, Choice, Work, branch, extend, start
from search.strategies.base import Strategy, count, default_prm, option, strategy, tokens
from search.strategies.candidates import in_order, measured
from verifiers.base import Score
from verifiers.selection.parse import Objective, Rule, Selection

STREAM = "particle: systematic resampling"
COLDEST = 1e-6
"""The lowest temperature: differences of a metric that are smaller than that are noise."""
LIMIT = 1e300
"""Scores divided by the temperature are cut here, so that their differences are numbers."""


@strategy("particle")
class ParticleFilter(Strategy):
    """Particles survive in proportion to their reward.

    Every `step` tokens the running particles are weighted by softmax(score / temperature) and resampled.

    prm: a single metric, so that its score can be weighed; where lower is better it counts negative. It is
    that of the whole utterance so far, as in the paper, so a step's weights replace those of the step
    before. temperature: in the unit of the metric. Towards 0 only the best particle survives, towards
    infinity all do. The default suits a similarity, by which the particles of one prompt differ in the
    second decimal. resample_below: resamples when the effective sample size, 1 / sum(weight^2), is below
    this share of the running particles (Liu and Chen 1995); until then each goes on unchanged, as
    resampling nearly equal weights only costs variety. With 1 it resamples always, as the paper does,
    unless all weights are equal; with 0 never. seed: of the resampling. The number of step i is output i of
    a stream that depends on the seed alone.

    A particle that cannot be judged has weight 0; if none can, all are kept. One that ends leaves the
    population, which is then smaller by one, and is a candidate; it is not resampled against running ones,
    whose scores are of other lengths. Copies of a particle draw their own continuations. So there are as
    many candidates as particles.

    Raises UserError also for a `prm` of several metrics.
    """

    particles: int = count("utterances that grow together", default=16)
    step: int = tokens("between resamplings")
    temperature: float = option(
        "of the reward, in its unit: lower is greedier", default=0.05, least=COLDEST, most=1 / COLDEST
    )
    resample_below: float = option(
        "share of effective particles below which they are resampled", default=0.5, least=0, most=1
    )
    seed: int = option("of the resampling", default=0)
    prm: Selection = option(
        "the one metric that partial utterances are weighted by", unless_given=default_prm
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isinstance(self.prm, Rule) and len(self.prm.objectives) == 1):
            raise UserError(
                f"prm={self.prm.spec} of {self.name}: particles are weighted by one metric, such as prm=sim"
            )

    @property
    def most_candidates(self) -> int:
        return self.particles

    @property
    def reward(self) -> Objective:
        """The metric of `prm`."""
        assert isinstance(self.prm, Rule)
        return self.prm.objectives[0]

    def plan(self) -> Work[Choice]:
        root = yield from start()
        running = yield from branch((root,), self.particles)
        ended: Beams = ()
        index = 0
        while running:
            grown = yield from extend(running, self.step)
            ended += tuple(beam for beam in grown if beam.finished)
            running = in_order(beam for beam in grown if not beam.finished)
            if len(running) > 1 and self.resample_below > 0:
                running = yield from self._resampled(running, index)
            index += 1
        return (yield from self.conclude(ended))

    def _resampled(self, running: Beams, index: int) -> Work[Beams]:
        scores = yield from measured(running, self.reward.metric, partial=True)
        found = weights(scores, self.reward, self.temperature)
        if not found or effective_size(found) >= self.resample_below * len(running):
            return running
        survivors = systematic(found, uniform(self.seed, index))
        return (yield from branch(tuple(running[i] for i in survivors), 1))


def weights(scores: Sequence[Score], reward: Objective, temperature: float) -> list[float]:
    """softmax(score / temperature) over what can be judged, 0 for the others; empty if nothing can be."""
    logits = [
        min(max(-reward.cost(score.value) / temperature, -LIMIT), LIMIT)
        if score.usable and math.isfinite(score.value)
        else -math.inf
        for score in scores
    ]
    largest = max(logits)
    if largest == -math.inf:
        return []
    parts = [math.exp(logit - largest) for logit in logits]
    total = math.fsum(parts)
    return [part / total for part in parts]


def effective_size(weights: Sequence[float]) -> float:
    """1 / sum(weight^2): how many equal weights would carry as much."""
    return 1 / math.fsum(weight * weight for weight in weights)


def systematic(weights: Sequence[float], uniform: float) -> list[int]:
    """As many indices as weights, in order: number i as often as its weight holds marks (k + uniform) /
    count.

    That is its expected number of copies, rounded down or up.
    """
    count = len(weights)
    ends = list(accumulate(weights))
    chosen, index = [], 0
    last = max(i for i, weight in enumerate(weights) if weight > 0)
    for k in range(count):
        # Rounding may leave the sum of all just below the last mark.
        while index < last and ends[index] <= (k + uniform) / count:
            index += 1
        chosen.append(index)
    return chosen


def uniform(seed: int, index: int) -> float:
    """The random number in [0, 1) of a step: a hash, so that a plan that is run again draws the same."""
    key = np.array([row_key(seed, STREAM, ())], dtype=np.uint64)
    return float(uniforms(key, index, 1)[0, 0])
