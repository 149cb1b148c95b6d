"""Strategies that other packages got wrong."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from search.asks import Branch, Choice, Work, branch, extend, measure, start
from search.strategies.base import Strategy, strategy
from search.strategies.best_of_n import BestOfN

NUMBER = 5


def no_generator(n: int = 4) -> int:
    return n


def without_default(n: int) -> Work[Choice]:
    raise NotImplementedError
    yield from start()


def odd_option(n: complex = 1j) -> Work[Choice]:
    raise NotImplementedError
    yield from start()


class NoStrategy:
    def plan(self) -> Iterator[Any]:
        yield 5


@strategy("no-plan")
class NoPlan(Strategy):
    pass


@strategy("plain-plan")
class PlainPlan(Strategy):
    def plan(self) -> Work[Choice]:
        return self.conclude(())


class Undecorated(BestOfN):
    pass


@strategy("somebody-else")
class OtherName(BestOfN):
    pass


def raises() -> Work[Choice]:
    root = yield from start()
    return root[0]  # type: ignore[index, no-any-return]


def yields_no_ask() -> Work[Choice]:
    yield "say something"  # type: ignore[misc]
    raise NotImplementedError


def returns_nothing() -> Work[Any]:
    yield from start()


def returns_no_beams() -> Work[Any]:
    yield from start()
    return ()


def ranks_twice(verifiers: tuple[str, ...]) -> Work[Choice]:
    root = yield from start()
    beams = yield from extend((yield from branch((root,), 2)))
    return Choice(beams, {}, (1, 1))


def too_few_scores() -> Work[Choice]:
    root = yield from start()
    beams = yield from extend((yield from branch((root,), 2)))
    return Choice(beams, {"wer": (yield from measure(beams[:1], "wer"))}, (1, 0))


def unknown_verifier() -> Work[Choice]:
    root = yield from start()
    yield from measure((yield from extend((root,))), "were")
    raise NotImplementedError


def too_many() -> Work[Any]:
    root = yield from start()
    return (yield Branch((root,), 10**9))


def unfinished() -> Work[Any]:
    root = yield from start()
    return (replace(root, tokens=(1, 2)),)
