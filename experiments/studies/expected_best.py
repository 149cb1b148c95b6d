"""Models of the expected best of N exchangeable draws.

Candidates of one utterance are correlated draws: some sentences are hard for all of them.

- `levels`, where the score that is searched by has a floor, such as WER. The chance that a candidate of an
  utterance is worse than a level is Beta-distributed over utterances, so the chance that all N are is
  B(a + N, b) / B(a, b), and the expected best is the sum over levels of their distance times that chance. It
  falls as a power of N, as coverage by repeated sampling does (Brown et al. 2024, arXiv 2407.21787). Each
  level is fitted by maximum likelihood of its beta-binomial counts.
- `normal`, where it has none, such as similarity: mean + slope * m(N), where m(N) is the expected maximum of
  N standard normal draws. For the score that is searched by, the slope is the standard deviation within
  utterances, sigma * sqrt(1 - rho); for a judge, times its correlation with that score.
- `share`, for a held-out judge where the searched score has a floor: a straight line through the `levels` of
  that score. A judge confirms a share of what the search gains, and no more than that score has left to gain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from experiments.studies.draws import Draws, Indices, Values

MOST_LEVELS = 128
MEAN_LOGITS = np.linspace(-9.0, 9.0, 91)
SPREAD_LOGITS = np.linspace(-6.0, 6.0, 49)
MEANS, SPREADS = len(MEAN_LOGITS), len(SPREAD_LOGITS)
_QUADRATURE = 4001


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted curve, mean + slope * g(N). kind: `normal`, g is m(N); `levels` and `share`, g is the expected
    best of the score that is searched by, lower is better, with its levels and the a, b of each but the last.
    """

    kind: str
    mean: float
    slope: float
    levels: Values | None = None
    exceeding: tuple[Values, Values] | None = None

    def at(self, n: float) -> float:
        """The expected value of best-of-N."""
        return self.mean + self.slope * self._best(n)

    def _best(self, n: float) -> float:
        if self.levels is None or self.exceeding is None:
            return expected_maximum(n)
        return float(self.levels[0] + np.diff(self.levels) @ all_exceed(*self.exceeding, n))


def all_exceed(a: Values, b: Values, n: float) -> Values:
    """B(a + n, b) / B(a, b): the chance that n exchangeable draws all are worse than a level. b = 0: all
    always are; a = 0: never."""
    from scipy.special import betaln

    with np.errstate(invalid="ignore", divide="ignore"):
        inner = np.exp(betaln(a + n, b) - betaln(a, b))
    return np.where(b <= 0, 1.0, np.where(a <= 0, 0.0, inner))


@lru_cache(maxsize=4096)
def expected_maximum(n: float) -> float:
    """Of n independent standard normal draws, n >= 1 (not necessarily whole): by quadrature of
    x * n * phi(x) * Phi(x)^(n - 1)."""
    from scipy.stats import norm

    x = np.linspace(-9.0, 9.0, _QUADRATURE)
    density = n * np.exp(norm.logpdf(x) + (n - 1) * norm.logcdf(x))
    return float(np.trapezoid(x * density, x))


def fit(found: Draws, kind: str, sign: float) -> Model:
    """sign: -1 where a higher value of the measure is better; of `levels` alone."""
    if kind == "normal":
        return _line(Model("normal", 0.0, 1.0), found)
    levels, exceeding = fit_levels(found)
    if kind == "levels":
        return Model("levels", 0.0, sign, levels, exceeding)
    return _line(Model("share", 0.0, 1.0, levels, exceeding), found)


def _line(curve: Model, found: Draws) -> Model:
    """The straight line through a curve that fits what was observed at 1, 2, 4 ... n, by least squares."""
    ks = found.widths
    x = np.array([curve.at(k) for k in ks])
    y = np.array([found.observed(k) for k in ks])
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float((x - x.mean()) @ (y - y.mean())) / spread if spread else 0.0
    return replace(curve, mean=float(y.mean() - slope * x.mean()), slope=slope)


def fit_levels(found: Draws) -> tuple[Values, tuple[Values, Values]]:
    """Of the score that is searched by: its levels, the best first, and a, b of each but the last."""
    levels = np.unique(found.key)
    if len(levels) > MOST_LEVELS:
        shares = np.linspace(0, 1, MOST_LEVELS)
        levels = np.unique(np.quantile(found.key, shares, method="closest_observation"))
    counts = np.stack([(found.key > level).sum(axis=1) for level in levels[:-1]]) if len(levels) > 1 else None
    if counts is None:
        return levels, (np.zeros(0), np.zeros(0))
    spoken = np.equal.outer(found.utterance, np.arange(found.utterances))  # [searches, utterances]
    by_utterance = counts.astype(np.float64) @ spoken
    trials = np.bincount(found.utterance, minlength=found.utterances) * found.n
    return levels, fit_beta(by_utterance, trials)


def fit_beta(counts: Values, trials: Indices) -> tuple[Values, Values]:
    """Maximum likelihood of beta-binomial counts, over a grid of means and correlations; between the points
    of the grid by the parabola through the best one and its neighbours.

    counts: float64 [levels, utterances], of draws that exceed the level, of `trials` int [utterances] each.
    Returns a, b: float64 [levels].
    """
    likelihood = np.zeros((MEANS * SPREADS, len(counts)))
    for n in np.unique(trials):
        own = counts[:, trials == n].astype(np.int64)
        histogram = np.stack([np.bincount(row, minlength=n + 1) for row in own], axis=1)  # [n + 1, levels]
        likelihood += _log_chances(int(n)) @ histogram
    mean, spread = np.unravel_index(likelihood.argmax(axis=0), (MEANS, SPREADS))
    grid = likelihood.reshape(MEANS, SPREADS, -1)
    levels = np.arange(len(counts))
    a, b = _beta(
        np.interp(_peak(grid[:, spread, levels], mean), np.arange(MEANS), MEAN_LOGITS),
        np.interp(_peak(grid[mean, :, levels].T, spread), np.arange(SPREADS), SPREAD_LOGITS),
    )
    share = (counts / trials).mean(axis=1)
    return np.where(share <= 0.0, 0.0, a), np.where(share >= 1.0, 0.0, b)


def _peak(curve: Values, best: Indices) -> Values:
    """Where the parabola through the best point and its neighbours has its top, in steps of the grid.

    curve: float64 [points, levels]; best: int [levels]."""
    inside = np.clip(best, 1, len(curve) - 2)
    low, middle, high = (curve[inside + step, np.arange(curve.shape[1])] for step in (-1, 0, 1))
    bend = low - 2 * middle + high
    with np.errstate(invalid="ignore", divide="ignore"):
        offset = np.where(bend < 0, np.clip(0.5 * (low - high) / bend, -1, 1), 0.0)
    return np.where(best == inside, inside + offset, best)


def _beta(mean_logit: Values, spread_logit: Values) -> tuple[Values, Values]:
    """a and b of a mean and a correlation 1 / (a + b + 1), given as logits."""
    mean, spread = (1 / (1 + np.exp(-logit)) for logit in (mean_logit, spread_logit))
    total = (1 - spread) / spread
    return mean * total, (1 - mean) * total


@lru_cache(maxsize=8)
def _log_chances(n: int) -> Values:
    """float64 [grid, n + 1]: log of the beta-binomial chance of each count."""
    from scipy.special import betaln, gammaln

    logits = np.meshgrid(MEAN_LOGITS, SPREAD_LOGITS, indexing="ij")
    a, b = (part.reshape(-1, 1) for part in _beta(*logits))
    k = np.arange(n + 1)
    choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    found: Values = choose + betaln(k + a, n - k + b) - betaln(a, b)
    return found
