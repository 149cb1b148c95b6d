"""Searches by Ray actors, real ones with the nano models, give what a local search gives."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from experiments.request_options import warn_of_prompts
from search.engine import Failure, Searcher
from search.results.result import SearchResult
from tests.search.backends.ray.helpers import (
    BEST_OF,
    CASCADE,
    PARTIAL,
    REPAIR,
    TEXTS,
    assert_same,
    backend_of,
    far,
    requests,
    run,
    wait_until_ready,
)

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("cluster")]


@pytest.fixture(scope="module")
def expected(nano: Searcher) -> dict[str, dict[str, SearchResult | Failure]]:
    return {spec: run(nano, spec, TEXTS[:3]) for spec in (BEST_OF, PARTIAL, REPAIR, CASCADE)}


@pytest.fixture(scope="module", params=[(1, 0), (3, 0), (1, 1)], ids=["one", "three", "one and a verifier"])
def searcher(request: pytest.FixtureRequest, cluster: None) -> Iterator[Searcher]:
    actors, verifier_actors = request.param
    with far(actors, verifier_actors=verifier_actors) as found:
        wait_until_ready(found, actors + verifier_actors)
        yield found


@pytest.mark.parametrize("spec", [BEST_OF, PARTIAL, REPAIR, CASCADE])
def test_the_result_is_the_local_one(
    searcher: Searcher, expected: dict[str, dict[str, SearchResult | Failure]], spec: str
) -> None:
    """One request at a time, spread over all actors, and many at once."""
    several = len(backend_of(searcher).workers()) == 3
    for in_flight, texts in ((1, TEXTS[:1]), (None, TEXTS[:3])):
        found = run(searcher, spec, texts, in_flight)
        assert found.keys() == set(texts)
        for text, outcome in found.items():
            assert_same(outcome, expected[spec][text])
            assert isinstance(outcome, SearchResult)
            local = expected[spec][text]
            assert isinstance(local, SearchResult)
            assert outcome.ledger.tokens_generated == local.ledger.tokens_generated
            assert outcome.ledger.waveforms_scored == local.ledger.waveforms_scored
            if several and in_flight == 1:  # each actor that takes part runs the prompt
                assert outcome.ledger.tokens_prefilled > local.ledger.tokens_prefilled
            if not several:
                assert outcome.ledger.beams_moved == 0


def test_actors_hear_in_the_prompt_what_is_heard_here(
    searcher: Searcher, nano: Searcher, capsys: pytest.CaptureFixture[str]
) -> None:
    (request,) = requests(TEXTS[:1])
    heard = searcher.backend.hear_prompt(request)
    assert heard == nano.backend.hear_prompt(request) and list(heard) == ["whisper:nano"]
    assert heard["whisper:nano"]
    warn_of_prompts(searcher, [replace(request, prompt_text="nothing of the kind was said at all")])
    assert f"warning: whisper:nano hears {heard['whisper:nano']!r} in the prompt" in capsys.readouterr().err
    assert not searcher.backend.hear_prompt(replace(request, prompt_audio=None, prompt_text=""))


def test_everyone_worked(searcher: Searcher) -> None:
    rows = backend_of(searcher).workers()
    run(searcher, PARTIAL, TEXTS[:1])
    after = backend_of(searcher).workers()
    assert all(new["units"] > old["units"] for old, new in zip(rows, after, strict=True))
    for row in after:
        assert row["state"] == "ready" and row["restarts"] == row["queue"] == 0
        assert 0 < row["utilisation"] <= 1
        assert (row["tokens"] > 0) is (row["kind"] != "score")
