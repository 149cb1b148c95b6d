"""Deaths of real actors at any moment change no result; work that kills is found out and ends nobody else."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from search.backends.ray.pool import ActorsFailed
from search.engine import Failure, Searcher
from search.results.result import SearchResult
from tests.search.backends.ray.helpers import (
    PARTIAL,
    TEXTS,
    TROUBLED,
    assert_same,
    backend_of,
    deaths,
    far,
    killed_after,
    pids,
    requests,
    run,
    strategy,
    trouble_folder,
    wait_until,
    wait_until_ready,
)

pytestmark = [pytest.mark.ray, pytest.mark.processes]
Results = dict[str, SearchResult | Failure]
BEST_OF = "best-of-n?n=2&select=wer,trouble"


@pytest.fixture(scope="module")
def expected(nano: Searcher) -> Results:
    return run(nano, PARTIAL, TEXTS[:3])


def kill_and_compare(searcher: Searcher, expected: Results, moment: float, which: int) -> bool:
    """Whether an actor was killed while the search ran; the result is the same in any case."""
    wait_until_ready(searcher, 2)
    before = deaths(searcher)
    with killed_after(searcher, moment, which) as killed:
        found = run(searcher, PARTIAL, TEXTS[:3])
    for text in TEXTS[:3]:
        assert_same(found[text], expected[text])
    if killed:
        wait_until(searcher, lambda: deaths(searcher) == before + 1)
    return bool(killed)


def some_kills(searcher: Searcher, expected: Results, count: int, seed: int) -> int:
    wait_until_ready(searcher, 2)
    began = time.perf_counter()
    run(searcher, PARTIAL, TEXTS[:3])
    duration = time.perf_counter() - began
    draw, hits = random.Random(seed), 0
    for _ in range(3 * count):
        hits += kill_and_compare(searcher, expected, draw.uniform(0, 0.9) * duration, draw.randrange(2))
        if hits == count:
            break
    return hits


def test_a_kill_at_any_moment_changes_nothing(pair: Searcher, expected: Results) -> None:
    assert some_kills(pair, expected, 3, seed=0) == 3


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_kills_at_any_moment_change_nothing(pair: Searcher, expected: Results) -> None:
    assert some_kills(pair, expected, 20, seed=1) == 20


def test_a_text_that_kills_its_actor_fails_alone(pair: Searcher) -> None:
    before = deaths(pair)
    found = run(pair, BEST_OF, ["birds of poison", *TEXTS[:3]], None, TROUBLED)
    failure = found.pop("birds of poison")
    assert isinstance(failure, Failure) and isinstance(failure.error, ActorsFailed)
    assert "its actor died 2 times" in str(failure.error)
    assert all(isinstance(outcome, SearchResult) for outcome in found.values()) and len(found) == 3
    assert deaths(pair) == before + 2


def test_a_text_that_hangs_its_actor_fails_alone(pair: Searcher) -> None:
    found = run(pair, BEST_OF, ["birds that hang", *TEXTS[:2]], None, TROUBLED)
    failure = found.pop("birds that hang")
    assert isinstance(failure, Failure) and "no answer within 6 s" in str(failure.error)
    assert all(isinstance(outcome, SearchResult) for outcome in found.values()) and len(found) == 2


def test_a_device_that_fails_ends_its_process_and_the_work_is_done_by_another(pair: Searcher) -> None:
    before = deaths(pair)
    result = pair.run(requests(["birds on the device"])[0], strategy(BEST_OF, TROUBLED))
    assert len(result.candidates) == 2
    assert deaths(pair) == before + 1


def test_idle_actors_that_die_are_replaced(pair: Searcher) -> None:
    known, before = deaths(pair), pids(pair)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(pair, lambda: deaths(pair) == known + 2)
    result = pair.run(requests()[0], strategy(BEST_OF, TROUBLED))
    assert len(result.candidates) == 2
    wait_until_ready(pair, 2)
    assert not set(before) & set(pids(pair))


def test_when_all_actors_are_gone_every_request_says_so(cluster: None, tmp_path: Path) -> None:
    """One that may not be started again."""
    with far(1, ("whisper:nano", f"trouble:{trouble_folder(tmp_path)}"), restarts=0) as searcher:
        found = run(searcher, BEST_OF, ["birds of poison", *TEXTS[:3]], 2, TROUBLED)
        assert len(found) == 4
        for outcome in found.values():
            assert isinstance(outcome, Failure) and isinstance(outcome.error, ActorsFailed)
            assert "no Ray actor is left" in str(outcome.error)
            assert "the last to go was actor 0" in str(outcome.error)
        assert [row["state"] for row in backend_of(searcher).workers()] == ["gone"]
