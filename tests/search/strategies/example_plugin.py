"""Strategies as another package may bring them. With these lines in its pyproject.toml both can be named on
the command line, in recipes and in Python, and `--help` shows their options:

    [project.entry-points."llasa_search.strategies"]
    short-list = "example_plugin:short_list"
    longest = "example_plugin:Longest"
"""

from search.asks import Beams, Choice, Work, branch, extend, start
from search.strategies.base import Strategy, count, strategy
from search.strategies.candidates import measured
from verifiers.selection.parse import Selection


def short_list(selection: Selection, n: int = 8, keep: int = 2, tokens: int = 50) -> Work[Beams]:
    """Many beginnings, of which the best few are spoken to the end.

    A function of a few lines is enough: what it returns is measured and ranked like the candidates of any
    other.
    """
    root = yield from start()
    beams = yield from branch((root,), n)
    beams = yield from extend(beams, tokens)
    scores = {}
    for metric in selection.metrics:
        scores[metric] = yield from measured(beams, metric, partial=True)
    best = [beams[number] for number in selection.rank(scores).order[:keep]]
    running = tuple(beam for beam in best if not beam.finished)
    ended = tuple(beam for beam in beams if beam.finished)
    return ended + ((yield from extend(running)) if running else ())


@strategy("longest")
class Longest(Strategy):
    """The longest candidates are judged, as a model that stops early leaves words out."""

    n: int = count("candidates", default=16)
    keep: int = count("how many of them are judged", default=4)

    @property
    def most_candidates(self) -> int:
        return self.n

    def plan(self) -> Work[Choice]:
        root = yield from start()
        beams = yield from branch((root,), self.n)
        beams = yield from extend(beams)
        longest = sorted(beams, key=lambda beam: -len(beam.tokens))[: self.keep]
        return (yield from self.conclude(tuple(longest)))
