"""`python -m experiments.bench.budgets`: whether limits hold, for every strategy, with its verifiers.

Each strategy is asked for far more candidates than the limit has room for, so that the limit is what ends it.
Printed is what was spent as a share of the limit, over sentences: the mean, the least and the most, and how
many winners are cut off. A limit that no complete candidate fits into is none that could hold.

--cpu-clock counts the seconds that this process computes in place of those on the wall: with one thread of a
CPU they are the same on a machine that does nothing else, and can be measured on one that does.
"""

from __future__ import annotations

import sys
import time

import click

from experiments.bench.speech import requests
from experiments.config import read_budget
from experiments.programs import COUNT, guarded
from search.engine import Failure, Searcher
from search.results.result import SearchResult

SPECS = (
    "best-of-n?n=64&wide=1&select=wer,sim",
    "beam?beams=4&n=16&prm=sim&select=wer,sim",
    "partial-prm?beams=4&n=16&prm=sim&select=wer,sim",
    "dvts?beams=4&n=16&prm=sim&select=wer,sim",
    "particle?particles=64&prm=sim&select=wer,sim",
    "adaptive?n=64&wide=1&select=wer<=-1,sim",
    "repair?first=8&n=8&rounds=16&select=wer<=-1,sim",
)
"""Bounds that nothing meets keep adaptive and repair going to the limit."""
LIMITS = ("tokens=1000", "tokens=2500", "flops=60e9", "flops=200e9")


@click.command(help=__doc__)
@click.option("--sentences", type=COUNT, default=4, help="How many are spoken (4).")
@click.option("--seed", type=int, default=0, help="Of the searches (0).")
@click.option("--limit", "limits", multiple=True, help=f"As --budget, repeatable ({', '.join(LIMITS)}).")
@click.option("--preset", default="nano", help="Whose models (nano).")
@click.option("--verifier", "verifiers", multiple=True, help="In place of the preset's; repeatable.")
@click.option("--device", default="cpu", help="cpu, cuda, cuda:1 ... (cpu)")
@click.option(
    "--cpu-clock", is_flag=True, help="Seconds that this process computes; for one thread of a CPU."
)
def budgets(
    sentences: int,
    seed: int,
    limits: tuple[str, ...],
    preset: str,
    verifiers: tuple[str, ...],
    device: str,
    cpu_clock: bool,
) -> None:
    if cpu_clock:
        time.perf_counter = time.process_time
    searcher = Searcher.from_preset(preset, verifiers=verifiers or None, device=device)
    wanted = requests(sentences, seed)
    print(f"{'limit':<14}{'strategy':<13}{'mean':>7}{'least':>7}{'most':>7}{'candidates':>12}{'cut off':>9}")
    for limit in limits or LIMITS:
        for spec in SPECS:
            results: list[SearchResult] = []
            # one at a time: seconds are those of a request that has the machine to itself
            for outcome in searcher.run_many(wanted, spec, budget=read_budget(limit), in_flight=1):
                if isinstance(outcome, Failure):
                    raise outcome.error
                results.append(outcome)
            shares = [spent_share(result, limit) for result in results]
            candidates = sum(len(result.candidates) for result in results) / len(results)
            cut = sum(result.winner.cut_off for result in results)
            print(
                f"{limit:<14}{spec.partition('?')[0]:<13}{sum(shares) / len(shares):>7.3f}"
                f"{min(shares):>7.3f}{max(shares):>7.3f}{candidates:>12.1f}{cut:>9}",
                flush=True,
            )


main = guarded(budgets)


def spent_share(result: SearchResult, limit: str) -> float:
    """What the search spent of its limit; judges are no part of it."""
    budget, ledger = read_budget(limit), result.ledger
    if budget.tokens is not None:
        return ledger.tokens_generated / budget.tokens
    if budget.flops is not None:
        return sum(ledger.flops.values()) / budget.flops
    last = result.trace[-1]
    assert budget.seconds is not None
    return (last.at + last.seconds) / budget.seconds


if __name__ == "__main__":
    sys.exit(main())
