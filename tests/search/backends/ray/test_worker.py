"""What an actor does with its tasks; Ray is not needed for that."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from llasa_core.audio import Waveform
from llasa_core.gpu_memory import own_share, use_share
from llasa_core.request import Request
from search.asks import Branch, Extend, Start, branched_beams
from search.backends.local import LocalBackend
from search.backends.ray.worker import DecodeBeams, Work, Worker
from search.models import ModelSpec


@pytest.fixture
def worker(tiny_generator: Path, tiny_codec: Path) -> Iterator[Worker]:
    parts = ModelSpec.from_preset(
        generator=str(tiny_generator), codec=str(tiny_codec), verifiers=(), max_seconds=1.0
    )
    found = Worker(parts, "all", threads=1, gpu_share=0.0, imports=())
    assert found.load().error is None
    yield found
    found.backend.close()


def until(met: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not met():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_what_is_dropped_is_cancelled_and_what_comes_after_it_is_not(worker: Worker, voice: Waveform) -> None:
    """Wherever the call of drop overtakes or is overtaken: requests 1 and 2 are dropped, 3 was asked for
    later."""
    request = Request("Seven birds", prompt_audio=voice, prompt_text="a buzz", seed=3)
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait(30)

    worker.backend.submit(slow)
    assert begun.wait(30)
    pool = ThreadPoolExecutor(5)
    tasks = [pool.submit(worker.work, key, request, Start()) for key in (1, 2, 3)]
    until(lambda: len(worker.open_requests) == 3)
    dropping = pool.submit(worker.drop, 2)
    until(lambda: list(worker.open_requests) == [3])
    go_on.set()
    first, second, third = (task.result(30) for task in tasks)
    dropping.result(30)
    assert isinstance(first.error, CancelledError) and isinstance(second.error, CancelledError)
    assert third.error is None

    def value(key: int, work: Work) -> tuple:  # type: ignore[type-arg]
        answer = worker.work(key, request, work)
        assert answer.error is None
        return answer.value  # type: ignore[no-any-return]

    beams = branched_beams(Branch((third.value,), 2))
    spoken = value(3, Extend(beams, 5))
    worker.drop(3)
    # a request that begins anew, from another one's tokens
    assert value(4, Extend(beams, 5)) == spoken
    assert all(len(waveform) > 0 for waveform in value(4, DecodeBeams(spoken)))
    worker.forget(4)
    # a task that arrives after its request has ended: it is done, and nothing is kept
    assert value(4, Extend(beams, 5)) == value(2, Extend(beams, 5)) == spoken
    assert not worker.open_requests


def test_an_actor_with_a_share_of_a_gpu_counts_its_models_in_it(
    tiny_generator: Path, tiny_codec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is loaded: what is reserved and recorded then has to know it."""
    spec = ModelSpec.from_preset(generator=str(tiny_generator), codec=str(tiny_codec), verifiers=())
    known: list[float] = []
    for name in ("__init__", "warm_up"):
        inner = getattr(LocalBackend, name)

        def noting(self: LocalBackend, *given: Any, inner: Any = inner, **more: Any) -> None:
            known.append(own_share())
            inner(self, *given, **more)

        monkeypatch.setattr(LocalBackend, name, noting)
    try:
        for share, expected in ((0.25, 0.25), (1.0, 1.0), (2.0, 1.0), (0.0, 1.0)):
            worker = Worker(spec, "all", threads=1, gpu_share=share, imports=())
            assert worker.load().error is None
            assert known == [expected] * 2 and worker.backend.generator.memory is None
            worker.backend.close()
            known.clear()
    finally:
        use_share(1.0)
