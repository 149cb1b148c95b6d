"""Verifiers of speech tokens in actors: each has the generator that they ask, also one that only scores."""

import pytest

from search.engine import Searcher
from search.results.result import SearchResult
from tests.search.backends.ray.helpers import TEXTS, far, run, wait_until_ready

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("cluster")]
VERIFIERS = ("likelihood", "likelihood?measure=margin", "whisper:nano", "loops")
METRICS = {"logp": True, "margin": True, "wer": False, "loops": False}
SPECS = ("best-of-n?n=4&select=margin", "beam?beams=2&n=2&prm=margin&select=consensus(wer)")


@pytest.mark.parametrize(("actors", "verifier_actors"), [(2, 0), (1, 1)])
def test_they_find_what_a_local_search_finds(actors: int, verifier_actors: int) -> None:
    local = Searcher.from_preset("nano", verifiers=VERIFIERS)
    with far(actors, VERIFIERS, verifier_actors=verifier_actors) as searcher:
        wait_until_ready(searcher, actors + verifier_actors)
        for spec in SPECS:
            found = run(searcher, spec, TEXTS[:1], metrics=METRICS)[TEXTS[0]]
            expected = run(local, spec, TEXTS[:1], metrics=METRICS)[TEXTS[0]]
            assert isinstance(found, SearchResult) and isinstance(expected, SearchResult), found
            for one, other in zip(found.candidates, expected.candidates, strict=True):
                assert (one.tokens, one.rank) == (other.tokens, other.rank)
                for name in ("logp", "margin"):  # exact: no sum depends on how beams were spread
                    assert one.scores[name].value == other.scores[name].value
            assert found.ledger.flops["verifier margin"] > 0
