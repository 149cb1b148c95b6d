"""Tables of searches that were not made: candidates with known chances, for tests of the statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.studies.table import ordered

if TYPE_CHECKING:
    import pandas

DIRECTIONS = {"wer": False, "sim": True, "hubert-ctc:nano": False}


def search(
    *,
    utterance: str,
    wer: Any,
    sim: Any,
    judge: Any,
    seed: int = 0,
    strategy: str = "best-of-n",
    spec: str = "",
    series: str = "",
    n: int | None = None,
    **other: Any,
) -> list[dict[str, Any]]:
    """The rows of one search, ranked by WER, then by similarity."""
    count = len(wer)
    n = count if n is None else n
    spec = spec or f"{strategy}?n={n}&select=wer,sim"
    ranks = np.empty(count, int)
    ranks[np.lexsort((np.arange(count), -np.asarray(sim), np.asarray(wer)))] = np.arange(count)
    rows = []
    for number in range(count):
        row = {
            "search": f"{spec} {utterance} {seed}",
            "cell": spec,
            "series": series or strategy,
            "preset": "nano",
            "strategy": strategy,
            "spec": spec,
            "n": n,
            "beams": 0,
            "subsampled": 0,
            "utterance": utterance,
            "text": f"the text of {utterance}",
            "language": "en",
            "voice": "kit",
            "seed": seed,
            "candidate": number,
            "rank": int(ranks[number]),
            "winner": ranks[number] == 0,
            "tokens": 100,
            "seconds": 2.0,
            "cut_off": False,
            "satisfied": True,
            "stopped": "",
            "codes": [number, 1, 2, 3],
            "tokens_generated": 100 * count,
            "tokens_prefilled": 50,
            "flops": 1e9 * count,
            "wall": 0.5 * count,
            "flops:generator": 1e9 * count,
            "wall:generator": 0.4 * count,
            "wall:verifier wer": 0.1 * count,
            "score:wer": float(wer[number]),
            "score:sim": float(sim[number]),
            "judge:hubert-ctc:nano": float(judge[number]),
            "words:wer": 10,
            "errors:wer": round(10 * wer[number]),
            "words:hubert-ctc:nano": 10,
            "errors:hubert-ctc:nano": round(10 * judge[number]),
            "transcript:wer": f"heard {wer[number]:.1f}",
            "transcript:hubert-ctc:nano": f"HEARD {judge[number]:.1f}",
            "failures:wer": "mostly wrong" if wer[number] > 0.5 else "",
            "failures:hubert-ctc:nano": "mostly wrong" if judge[number] > 0.5 else "",
        }
        rows.append({**row, **other})
    return rows


def frame(rows: list[dict[str, Any]], directions: Mapping[str, bool] = DIRECTIONS) -> pandas.DataFrame:
    import pandas

    found = ordered(pandas.DataFrame(rows))
    found.attrs["directions"] = dict(directions)
    return found


def correlated(
    utterances: int, n: int, *, seeds: int = 1, rho: float = 0.5, ear: float = 0.7, seed: int = 0
) -> pandas.DataFrame:
    """Best-of-n of normal draws. WER: mean 0, variance 1, correlation rho within an utterance. The judge's is
    the same plus noise: its correlation with the WER, within an utterance, is `ear`."""
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(utterances):
        shared = np.sqrt(rho) * generator.standard_normal()
        for trial in range(seeds):
            own = np.sqrt(1 - rho) * generator.standard_normal(n)
            noise = np.sqrt(1 - rho) * generator.standard_normal(n)
            judge = shared + ear * own + np.sqrt(1 - ear**2) * noise
            rows += search(
                utterance=f"u{number:04}", seed=trial, wer=shared + own, sim=np.zeros(n), judge=judge
            )
    return frame(rows)


def word_errors(utterances: int, n: int, a: float, b: float, *, seed: int = 0) -> pandas.DataFrame:
    """Best-of-n where a candidate has a WER of 0.2 with a chance p of its utterance, else of 0; p is drawn
    from Beta(a, b)."""
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(utterances):
        wer = 0.2 * (generator.random(n) < generator.beta(a, b))
        judge = np.clip(wer + 0.1, 0, None)
        rows += search(utterance=f"u{number:04}", wer=wer, sim=generator.random(n), judge=judge)
    return frame(rows)
