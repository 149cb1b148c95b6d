"""Requests, comparison of results, and deaths at chosen moments, for the tests with a real Ray cluster."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llasa_core.audio import read_audio
from llasa_core.request import Request
from llasa_core.voices import shipped_voices
from search.backends.ray.backend import RayBackend
from search.backends.ray.options import RayOptions
from search.engine import Failure, Searcher
from search.results.result import SearchResult
from search.strategies.registry import build

METRICS = {"wer": False, "sim": True}
TROUBLED = {"wer": False, "trouble": True}


def trouble_folder(folder: Path) -> Path:
    """The folder as a source of the verifier `trouble`: like one of a model, it is not empty."""
    (folder / "about.txt").write_text("kills, hangs and failures are noted here\n", "utf-8")
    return folder


JUDGES = ("hubert-ctc:nano",)
TEXTS = (
    "the morning train is late again",
    "seven green birds",
    "a ship on the river",
    "the old king saw a bird",
    "the wall is old",
    "the king is late",
)
BEST_OF = "best-of-n?n=4"
PARTIAL = "partial-prm?beams=2&n=3&seconds=1"
REPAIR = "repair?n=2"
CASCADE = "best-of-n?n=4&select=keep(sim=0.25),wer<=0,sim"
VERIFIERS = ("whisper:nano", "wavlm-sv:nano")


def requests(texts: Sequence[str] = TEXTS) -> list[Request]:
    """Each in the voice that its length decides."""
    shipped = shipped_voices()
    found = []
    for text in texts:
        voice = shipped[len(text) % len(shipped)]
        audio = read_audio(voice.path)
        found.append(Request(text, prompt_audio=audio, prompt_text=voice.text, id=text))
    return found


def strategy(spec: str, metrics: Mapping[str, bool] = METRICS) -> Any:
    return build(spec, metrics)


def run(
    searcher: Searcher,
    spec: str,
    texts: Sequence[str] = TEXTS,
    in_flight: int | None = None,
    metrics: Mapping[str, bool] = METRICS,
) -> dict[str, SearchResult | Failure]:
    outcomes = searcher.run_many(requests(texts), strategy(spec, metrics), in_flight=in_flight)
    return {outcome.request.text: outcome for outcome in outcomes}


def assert_same(found: SearchResult | Failure, expected: SearchResult | Failure) -> None:
    """Token for token, rank for rank; scores but for what the grouping of a batch does to the last digits."""
    assert isinstance(found, SearchResult) and isinstance(expected, SearchResult), found
    assert len(found.candidates) == len(expected.candidates)
    for one, other in zip(found.candidates, expected.candidates, strict=True):
        assert one.tokens == other.tokens
        assert (one.rank, one.lineage, one.cut_off) == (other.rank, other.lineage, other.cut_off)
        assert len(one.waveform) == len(other.waveform)
        assert abs(one.waveform - other.waveform).max() < 1e-4
        for mine, theirs in ((one.scores, other.scores), (one.judged, other.judged)):
            assert mine.keys() == theirs.keys()
            for name in mine:
                assert mine[name].usable == theirs[name].usable
                assert mine[name].value == pytest.approx(theirs[name].value, abs=1e-5, nan_ok=True)
                assert mine[name].evidence.get("transcript") == theirs[name].evidence.get("transcript")
    assert found.satisfied == expected.satisfied
    assert found.ledger.tokens_kept == expected.ledger.tokens_kept


def far(actors: int, verifiers: Sequence[str] | None = None, **options: Any) -> Searcher:
    """A searcher whose actors have one thread each and split even two beams."""
    settings = {"threads": 1, "split": 1, "imports": ("tests.search.backends.ray.kinds",), **options}
    return Searcher.from_preset(
        "nano", judges=JUDGES, verifiers=verifiers or VERIFIERS, ray=RayOptions(actors=actors, **settings)
    )


def backend_of(searcher: Searcher) -> RayBackend:
    assert isinstance(searcher.backend, RayBackend)
    return searcher.backend


def pids(searcher: Searcher) -> list[int]:
    return [row["pid"] for row in backend_of(searcher).workers() if row["pid"]]


def deaths(searcher: Searcher) -> int:
    return sum(row["restarts"] for row in backend_of(searcher).workers())


def wait_until(searcher: Searcher, met: Callable[[], bool]) -> None:
    """Polls the actors until it is so."""
    backend = backend_of(searcher)
    ends = time.monotonic() + 120
    while not met():
        assert time.monotonic() < ends, backend.workers()
        backend.pool.poll()


def wait_until_ready(searcher: Searcher, count: int) -> None:
    """Until so many actors are."""
    wait_until(searcher, lambda: len(pids(searcher)) == count)


@contextmanager
def killed_after(searcher: Searcher, seconds: float, which: int) -> Iterator[list[int]]:
    """SIGKILL of an actor so many seconds after the block has begun; yields the pids that were killed
    within it."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        if not over.wait(seconds) and (found := pids(searcher)):
            pid = found[which % len(found)]
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()
