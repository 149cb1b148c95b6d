"""Signals that end the program: each raises an exception, but not while files are being written."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
AGAIN_SECONDS = 0.02
"""After this time a signal is raised again whose exception Python could not pass on."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the program to end. exit_code: 128 and its number, as shells report it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(
            "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
        )

    @property
    def exit_code(self) -> int:
        return 128 + self.number


class _State:
    """guarded: signals are handled here. held: how many `held` blocks are open. came: the first signal.
    waiting: a signal that came in a `held` block."""

    guarded = False
    held = 0
    came: int | None = None
    waiting: int | None = None


_state = _State()


@contextmanager
def guarded(*, last: bool = False) -> Iterator[None]:
    """Within the block the SIGNALS raise Interrupted in the main thread, after an open `held` block.

    Signals are not blocked but remembered: a thread of a library would take a blocked one. One that comes
    while Python runs a finalizer (`__del__`), from which no exception gets out, is raised again a little
    later. last: nothing but the end of the process follows; a signal then ends it without a word.
    """
    if _state.guarded or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    if before[signal.SIGHUP] == signal.SIG_IGN:  # by nohup
        del before[signal.SIGHUP]
    _state.guarded, _state.came, _state.waiting = True, None, None
    hook, sys.unraisablehook = sys.unraisablehook, _again(sys.unraisablehook)
    try:
        for number in before:
            signal.signal(number, _handle)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if last else handler)
        sys.unraisablehook = hook
        _state.guarded = False


@contextmanager
def held() -> Iterator[None]:
    """Whatever is in the block is done to its end, signals or not."""
    with guarded():
        _state.held += 1
        try:
            yield
        finally:
            _state.held -= 1
        if not _state.held and _state.waiting is not None:
            number, _state.waiting = _state.waiting, None
            raise Interrupted(number)


def came() -> Interrupted | None:
    """The first signal of the block, also if a library swallowed the exception that it raised."""
    return None if _state.came is None else Interrupted(_state.came)


def of(error: BaseException) -> Interrupted | None:
    """The signal behind an error, of which a library may have made another error. None if there was none."""
    if isinstance(error, KeyboardInterrupt) and not isinstance(error, Interrupted):
        return Interrupted(signal.SIGINT)
    return error if isinstance(error, Interrupted) else came()


def check() -> None:
    """Raises Interrupted if a signal has come."""
    if interrupted := came():
        raise interrupted


def _handle(number: int, frame: FrameType | None) -> None:
    _state.came = number if _state.came is None else _state.came
    if _state.held:
        _state.waiting = number
    else:
        raise Interrupted(number)


def _again(hook: Any) -> Any:
    """A sys.unraisablehook that sends the signal of a lost Interrupted once more, and passes on the rest."""

    def lost(unraisable: Any) -> None:
        error = unraisable.exc_value
        if not isinstance(error, Interrupted):
            hook(unraisable)
            return
        timer = threading.Timer(AGAIN_SECONDS, _send, (error.number,))
        timer.daemon = True
        timer.start()

    return lost


def _send(number: int) -> None:
    if _state.guarded:
        signal.pthread_kill(threading.main_thread().ident or 0, number)
