"""Answers that are still to come, one after the other: what `concurrent.futures` leaves to its users."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

S = TypeVar("S")
T = TypeVar("T")


def answered(value: T) -> Future[T]:
    """An answer that is known already."""
    answer: Future[T] = Future()
    answer.set_result(value)
    return answer


def then(first: Future[S], follow: Callable[[S], Future[T]]) -> Future[T]:
    """The answer of what follows on the first; its error, or that it was cancelled."""
    answer: Future[T] = Future()

    def pass_on(second: Future[T]) -> None:
        if second.cancelled():
            answer.cancel()
        elif error := second.exception():
            answer.set_exception(error)
        else:
            answer.set_result(second.result())

    def go_on(done: Future[S]) -> None:
        try:
            follow(done.result()).add_done_callback(pass_on)
        except CancelledError:
            answer.cancel()
        except Exception as error:  # noqa: BLE001 (whoever waits for the answer is told)
            answer.set_exception(error)

    first.add_done_callback(go_on)
    return answer


def wait_for_any(futures: Collection[Future[Any]]) -> None:
    """Until one is done or cancelled: `concurrent.futures.wait` overlooks a future that is cancelled before
    it ran."""
    done = threading.Event()
    for future in futures:
        future.add_done_callback(lambda _: done.set())
    done.wait()
