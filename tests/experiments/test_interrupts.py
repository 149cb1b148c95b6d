"""Signals end the program by an exception, once what must be whole is whole."""

import contextlib
import signal
import subprocess
import sys
import time

import pytest

from experiments import interrupts
from experiments.interrupts import SIGNALS, Interrupted, guarded, held


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_raises_and_knows_its_exit_code(number: signal.Signals) -> None:
    before = {one: signal.getsignal(one) for one in SIGNALS}
    with pytest.raises(Interrupted) as raised, guarded():
        signal.raise_signal(number)
    assert raised.value.exit_code == 128 + number
    assert str(raised.value) == ("interrupted" if number == signal.SIGINT else f"ended by {number.name}")
    assert {one: signal.getsignal(one) for one in SIGNALS} == before


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("outer", [True, False])
def test_what_is_held_is_done_to_its_end(number: signal.Signals, outer: bool) -> None:
    done: list[str] = []

    def write() -> None:
        with held(), held():
            signal.raise_signal(number)
            signal.raise_signal(number)
            done.append("whole")
        done.append("after")

    with pytest.raises(Interrupted):
        if outer:
            with guarded():
                write()
        else:
            write()
    assert done == ["whole"]


def test_a_signal_that_a_library_swallowed_is_not_forgotten() -> None:
    with guarded():
        interrupts.check()
        with contextlib.suppress(KeyboardInterrupt):  # as a callback from C does
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted):
            interrupts.check()
        found = interrupts.of(ImportError("half a module"))
        assert found is not None and found.number == signal.SIGTERM
    with guarded():
        interrupts.check()
        assert interrupts.of(ImportError("a real one")) is None


def test_a_signal_in_a_finalizer_is_raised_again(capsys: pytest.CaptureFixture[str]) -> None:
    class Ending:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    hook, lost = sys.unraisablehook, False
    with pytest.raises(Interrupted) as raised, guarded():
        Ending()
        lost = True
        time.sleep(30)
    assert lost and raised.value.number == signal.SIGTERM
    assert sys.unraisablehook is hook and capsys.readouterr() == ("", "")


def test_other_errors_of_finalizers_are_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError("as ever")

    told: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(str(unraisable.exc_value)))
    with guarded():
        Broken()
    assert told == ["as ever"]


def test_nohup_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with guarded():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.processes
def test_at_the_end_of_a_process_nothing_more_is_said() -> None:
    program = (
        "import signal, time\nfrom experiments.interrupts import guarded\n"
        "with guarded(last=True):\n    pass\nprint('done', flush=True)\ntime.sleep(60)\n"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", program], **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "done\n"
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == -signal.SIGINT and time.monotonic() - began < 30
