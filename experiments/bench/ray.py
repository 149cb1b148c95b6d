"""`python -m experiments.bench.ray`: what Ray costs, and what it gives: the same work here and by actors, in turn.

First one actor against this process with as many threads, then two actors of one thread each against this process with
two. A pair is the same utterances by the one and by the other; the ratio is of their times.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch

from experiments.bench.timing import Ratio, tell, timed
from experiments.nano.data.corpus import HELD_OUT_SENTENCES
from experiments.studies.study import requests
from llasa_core.errors import UserError
from llasa_core.presets import find_preset
from llasa_core.request import Request
from search.backends.ray.options import RayOptions
from search.engine import Failure, Searcher
from search.strategies.registry import build
from verifiers.errors import VerifierError
from verifiers.registry import directions


def seconds(searcher: Searcher, wanted: Sequence[Request], spec: str, preset: str, in_flight: int) -> float:
    strategy = build(spec, directions(*find_preset(preset).verifiers))

    def work() -> None:
        for outcome in searcher.run_many(wanted, strategy, in_flight=in_flight):
            if isinstance(outcome, Failure):
                raise outcome.error

    return timed(work)


def compare(arguments: argparse.Namespace, actors: int, threads: int) -> None:
    """Prints the median ratio of the pairs, time by actors over time here, and its bootstrap interval."""
    wanted = requests((arguments.pairs + 1) * arguments.utterances, arguments.seed)
    options = RayOptions(actors=actors, threads=threads)
    spec, preset, in_flight = (
        f"best-of-n?n={arguments.n}&select=wer,sim",
        arguments.preset,
        arguments.in_flight,
    )
    ratios = []
    with (
        Searcher.from_preset(preset) as here,
        Searcher.from_preset(preset, ray=options) as there,
    ):
        for pair in range(arguments.pairs + 1):
            some = wanted[pair * arguments.utterances : (pair + 1) * arguments.utterances]
            turns = [there, here] if pair % 2 else [here, there]  # neither always goes first
            took = {id(searcher): seconds(searcher, some, spec, preset, in_flight) for searcher in turns}
            if pair:  # the first one warms up
                ratios.append(took[id(there)] / took[id(here)])
            tell(f"{actors} x {threads}: pair {pair} of {arguments.pairs}")
    tell("")
    ratio = Ratio.of(ratios, arguments.seed)
    print(
        f"{actors} actor{'s' * (actors > 1)} of {threads} thread{'s' * (threads > 1)} against this process with "
        f"{torch.get_num_threads()}: {ratio.show(3)} times as long, {1 / ratio.median:.2f} times as fast "
        f"({len(ratios)} pairs of {arguments.utterances} utterances, best-of-{arguments.n}, seed {arguments.seed})"
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bench.ray", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--utterances", type=int, default=4, help="of a pair (4)")
    parser.add_argument("-n", type=int, default=16, help="candidates (16)")
    parser.add_argument("--threads", type=int, default=2, help="of this process (2)")
    parser.add_argument("--in-flight", type=int, default=4, help="utterances searched at once (4)")
    parser.add_argument("--actors", type=int, choices=(1, 2), help="only the part with so many")
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    try:
        if (
            min(arguments.pairs, arguments.utterances, arguments.n, arguments.threads, arguments.in_flight)
            < 1
        ):
            raise UserError("give numbers of at least 1")
        if (arguments.pairs + 1) * arguments.utterances > HELD_OUT_SENTENCES:
            raise UserError(f"there are {HELD_OUT_SENTENCES} sentences: fewer --pairs, or --utterances")
        torch.set_num_threads(arguments.threads)
        if arguments.actors in (None, 1):
            compare(arguments, 1, arguments.threads)
        if arguments.actors in (None, 2):
            compare(arguments, 2, 1)
    except (UserError, VerifierError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
