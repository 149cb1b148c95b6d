"""Many requests to two Ray actors: what fails fails alone, what waits is bounded, what is done is
forgotten."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from llasa_core.errors import UserError
from llasa_core.request import Request
from search.asks import Branch, Extend, Start
from search.backends.ray.options import RayOptions
from search.backends.ray.worker import Worker
from search.cost.budget import Budget
from search.engine import Failure, Searcher
from search.results.result import SearchResult
from tests.search.backends.ray.helpers import (
    TEXTS,
    TROUBLED,
    assert_same,
    backend_of,
    deaths,
    requests,
    run,
    strategy,
)
from verifiers.errors import VerifierError

pytestmark = pytest.mark.ray
BEST_OF = "best-of-n?n=2&select=wer,trouble"


def test_exceptions_keep_their_type_and_text_and_end_no_other_request(pair: Searcher, nano: Searcher) -> None:
    good, long = list(TEXTS[:2]), ("word " * 1500).strip()
    found = run(
        pair, BEST_OF, [good[0], long, "birds that reject", "birds that break", good[1]], None, TROUBLED
    )
    errors = {text: outcome.error for text, outcome in found.items() if isinstance(outcome, Failure)}
    with pytest.raises(UserError) as local:
        nano.run(requests([long])[0], strategy("best-of-n?n=2"))
    rejected = "this text cannot be judged: give another"
    assert {text: (type(error), str(error)) for text, error in errors.items()} == {
        long: (UserError, str(local.value)),
        "birds that reject": (VerifierError, rejected),
        # it cannot be pickled, so it comes by name
        "birds that break": (RuntimeError, "Odd: one and other"),
    }
    assert "kinds.py" in errors["birds that break"].__notes__[0]
    for text in good:
        assert isinstance(found[text], SearchResult)
    with pytest.raises(VerifierError, match=rejected):
        pair.run(requests(["birds that reject"])[0], strategy(BEST_OF, TROUBLED))


def test_no_actor_has_more_than_its_units_however_many_requests_wait(pair: Searcher) -> None:
    backend = backend_of(pair)
    most, waiting, read = 0, 0, 0

    def watched() -> Iterator[Request]:
        nonlocal read
        for request in requests(
            [f"bird {word}" for word in "one two three four five six seven eight".split()]
        ):
            read += 1
            yield request

    def look(*_: object) -> None:
        nonlocal most, waiting
        most = max(most, *(row["queue"] for row in backend.workers()))
        waiting = max(waiting, len(backend.pool.queue.waiting))

    outcomes = pair.run_many(watched(), strategy("best-of-n?n=1"), in_flight=8, progress=lambda _: look)
    next(outcomes)
    assert read <= 9
    rest = list(outcomes)
    assert len(rest) == 7 and all(isinstance(outcome, SearchResult) for outcome in rest)
    assert most == 3
    assert waiting >= 2  # eight requests at once, room for three on each of two actors
    assert backend.in_flight == 16


def test_what_is_done_is_forgotten(pair: Searcher) -> None:
    """In the driver and in the actors, which keep nothing that they need."""
    run(pair, "best-of-n?n=2", TEXTS[:3])
    backend = backend_of(pair)
    assert not backend.sessions and not backend.pool.pending
    ends = time.monotonic() + 10
    kept = [-1]
    while any(kept) and time.monotonic() < ends:  # they are told without being waited for
        states = [actor.handle.__ray_call__.remote(_kept) for actor in backend.pool.actors]
        kept = backend.pool.ray.get(states)
    assert kept == [0, 0]


def _kept(worker: Worker) -> int:
    return len(worker.open_requests)


def test_a_loop_that_is_left_early_leaves_nothing_behind(pair: Searcher, nano: Searcher) -> None:
    outcomes = pair.run_many(requests(), strategy("best-of-n?n=2"))
    next(outcomes)
    outcomes.close()
    backend = backend_of(pair)
    assert not backend.sessions and not backend.pool.queue.waiting
    found = run(pair, "best-of-n?n=2", TEXTS[:2])
    expected = run(nano, "best-of-n?n=2", TEXTS[:2])
    for text in TEXTS[:2]:
        assert_same(found[text], expected[text])


def test_an_interrupt_in_the_middle_of_a_wait_is_survived(
    pair: Searcher, nano: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it strikes: here between a result's arrival and its being read."""
    backend = backend_of(pair)
    actual, calls, before = backend.pool.ray.get, 0, deaths(pair)

    def interrupted(*given: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return actual(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(backend.pool.ray, "get", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(pair, "best-of-n?n=2")
    found = run(pair, "best-of-n?n=2", TEXTS[:2])
    expected = run(nano, "best-of-n?n=2", TEXTS[:2])
    for text in TEXTS[:2]:
        assert_same(found[text], expected[text])
    # an actor may still be at work that was dropped; its answer is read by whoever waits next
    for _ in range(60):
        if not any(row["queue"] for row in backend.workers()):
            break
        backend.pool.poll()
    assert all(row["queue"] == 0 for row in backend.workers())
    assert deaths(pair) == before


def test_beams_that_move_are_made_again_from_their_tokens(pair: Searcher, nano: Searcher) -> None:
    """Two beams on one actor each; then both copies of the first: they are crowded there, and some move."""
    backend = backend_of(pair)
    session = backend.open(requests()[0])

    def answer(ask: object) -> tuple:  # type: ignore[type-arg]
        future = session.answer(ask)  # type: ignore[arg-type]
        backend.wait((future,))
        return future.result()  # type: ignore[no-any-return]

    root = answer(Start())
    first, _ = answer(Extend(answer(Branch((root,), 2)), 20))
    assert session.ledger.beams_moved == session.ledger.tokens_reprefilled == 0
    copies = answer(Branch((first,), 6))
    grown = answer(Extend(copies, 5))
    assert session.ledger.beams_moved == 1
    assert session.ledger.tokens_reprefilled > 0
    assert session.ledger.tokens_reprefilled % 20 == 0
    session.close()
    alone = nano.backend.open(requests()[0])
    for ask in (Start(), Extend(copies, 5)):
        future = alone.answer(ask)
        nano.backend.wait((future,))
    assert future.result() == grown


def test_budgets_hold(pair: Searcher) -> None:
    free = pair.run(requests()[0], strategy("best-of-n?n=8"))
    assert free.ledger.tokens_generated > 300 and not free.stopped
    result = pair.run(requests()[0], strategy("best-of-n?n=8"), budget=Budget(tokens=150))
    assert 0 < result.ledger.tokens_generated <= 150
    assert "150 tokens" in result.stopped or "middle of a candidate" in result.stopped
    with pytest.raises(UserError, match="give more"):
        pair.run(requests()[0], strategy("best-of-n?n=2"), budget=Budget(seconds=1e-9))


def test_codes_are_decoded_in_the_voice_of_the_request(pair: Searcher, nano: Searcher) -> None:
    codes = [[3, 1, 4, 1, 5], [9, 2, 6]]
    found = pair.backend.decode(requests()[0], codes)
    expected = nano.backend.decode(requests()[0], codes)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
        assert one.flags.writeable and one.flags.owndata  # not a view into Ray's store


def test_progress_is_told(pair: Searcher) -> None:
    seen: list[tuple[str, int, int]] = []
    pair.run(requests()[0], strategy("best-of-n?n=2"), progress=lambda *report: seen.append(report))
    assert {("generate", 2, 2), ("score sim", 2, 2), ("decode", 2, 2)} <= set(seen)


def test_the_manifest_names_the_models_as_a_local_one_does(pair: Searcher, nano: Searcher) -> None:
    found, expected = dict(pair.models), dict(nano.models)
    assert {entry["spec"] for entry in found.pop("verifiers")} > {
        entry["spec"] for entry in expected.pop("verifiers")
    }
    assert found == expected


def test_a_folder_that_lacks_files_is_told_of_at_once(cluster: None, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model folder"):
        Searcher.from_preset("nano", generator=str(tmp_path / "none"), ray=_one())
    with pytest.raises(VerifierError, match="unknown verifier"):
        Searcher.from_preset("nano", verifiers=["whisker:nano"], ray=_one())


def _one() -> RayOptions:
    return RayOptions(actors=1, threads=1)
