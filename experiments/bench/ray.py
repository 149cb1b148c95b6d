"""`python -m experiments.bench.ray`: what Ray costs, and what it gives: the same work here and by actors, in
turn.

First one actor against this process with as many threads, then two actors of one thread each against this
process with two. A pair is the same utterances by the one and by the other; the ratio is of their times.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click
import torch

from experiments.bench.speech import held_out_requests
from experiments.bench.timing import Ratio, tell, timed
from experiments.nano.data.corpus import HELD_OUT_SENTENCES
from experiments.programs import COUNT, guarded
from llasa_core.errors import UserError
from llasa_core.presets import find_preset
from llasa_core.request import Request
from search.backends.ray.options import RayOptions
from search.engine import Failure, Searcher
from search.strategies.registry import build
from verifiers.registry import directions


def seconds(searcher: Searcher, wanted: Sequence[Request], spec: str, preset: str, in_flight: int) -> float:
    strategy = build(spec, directions(*find_preset(preset).verifiers))

    def work() -> None:
        for outcome in searcher.run_many(wanted, strategy, in_flight=in_flight):
            if isinstance(outcome, Failure):
                raise outcome.error

    return timed(work)


def compare(
    actors: int, threads: int, *, pairs: int, utterances: int, n: int, in_flight: int, preset: str, seed: int
) -> None:
    """Prints the median ratio of the pairs, time by actors over time here, and its bootstrap interval."""
    wanted = held_out_requests((pairs + 1) * utterances, seed)
    spec = f"best-of-n?n={n}&select=wer,sim"
    ratios = []
    with (
        Searcher.from_preset(preset) as here,
        Searcher.from_preset(preset, ray=RayOptions(actors=actors, threads=threads)) as there,
    ):
        for pair in range(pairs + 1):
            some = wanted[pair * utterances : (pair + 1) * utterances]
            turns = [there, here] if pair % 2 else [here, there]  # neither always goes first
            took = {id(searcher): seconds(searcher, some, spec, preset, in_flight) for searcher in turns}
            if pair:  # the first one warms up
                ratios.append(took[id(there)] / took[id(here)])
            tell(f"{actors} x {threads}: pair {pair} of {pairs}")
    tell("")
    ratio = Ratio.of(ratios, seed)
    print(
        f"{actors} actor{'s' * (actors > 1)} of {threads} thread{'s' * (threads > 1)} against this process "
        "with "
        f"{torch.get_num_threads()}: {ratio.show(3)} times as long, {1 / ratio.median:.2f} times as fast "
        f"({len(ratios)} pairs of {utterances} utterances, best-of-{n}, seed {seed})"
    )


@click.command(help=__doc__)
@click.option("--pairs", type=COUNT, default=15, help="Runs each way, after one that warms up (15).")
@click.option("--utterances", type=COUNT, default=4, help="Of a pair (4).")
@click.option("-n", type=COUNT, default=16, help="Candidates (16).")
@click.option("--threads", type=COUNT, default=2, help="Of this process (2).")
@click.option("--in-flight", type=COUNT, default=4, help="Utterances searched at once (4).")
@click.option("--actors", type=click.IntRange(1, 2), help="Only the part with so many.")
@click.option("--preset", default="nano", help="Whose models (nano).")
@click.option("--seed", type=int, default=0, help="Of the searches (0).")
def bench(actors: int | None, threads: int, **options: Any) -> None:
    if (options["pairs"] + 1) * options["utterances"] > HELD_OUT_SENTENCES:
        raise UserError(f"there are {HELD_OUT_SENTENCES} sentences: give fewer --pairs, or --utterances")
    torch.set_num_threads(threads)
    if actors in (None, 1):
        compare(1, threads, **options)
    if actors in (None, 2):
        compare(2, 1, **options)


main = guarded(bench)

if __name__ == "__main__":
    sys.exit(main())
