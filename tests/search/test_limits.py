"""Limits include the verifiers, for every strategy: they hold, speech is whole, and room is used."""

from concurrent.futures import Future
from typing import Any

import pytest

from llasa_core.audio import read_audio
from llasa_core.request import Request
from llasa_core.voices import shipped_voices
from search.asks import Ask, Extend, Measure
from search.cost.budget import Budget
from search.cost.ledger import Ledger
from search.cost.prices import Cost, Prices
from search.driver import RequestSearch
from search.engine import Searcher
from search.results.result import SearchResult
from search.strategies.registry import build
from tests.search.fake_world import METRICS, TreeWorld, WorldSession
from verifiers.base import Score

TEXT = "The morning train is late again."
WIDE = {
    "best-of-n": "best-of-n?n=64&wide=1&select=wer,sim",
    "cascade": "best-of-n?n=64&wide=1&select=keep(sim=0.25),wer,sim",
    "beam": "beam?beams=2&n=4&step=10&prm=sim&select=wer,sim",
    "dvts": "dvts?beams=2&n=4&step=10&prm=sim&select=wer,sim",
    "partial-prm": "partial-prm?beams=2&n=4&step=10&seconds=1&prm=sim&select=wer,sim",
    "particle": "particle?particles=8&step=10&resample_below=1&prm=sim&select=wer,sim",
    "adaptive": "adaptive?n=64&wide=1&select=wer<=-1,sim",
    "repair": "repair?first=4&n=4&rounds=32&select=wer<=-1,sim",
}
"""All go on until the limit ends them."""
VERIFIERS = {"wer": 400.0, "sim": 1.0}
"""Operations: of wer for each beam, however long; of sim, as of the generator, for each token."""


class PricedSession(WorldSession):
    """Measuring costs operations too."""

    def answer(self, ask: Ask, until: float = float("inf")) -> Future[Any]:
        if isinstance(ask, Measure):
            counts = [len(beam.tokens) if ask.verifier == "sim" else 1 for beam in ask.beams]
            self.ledger.add_flops(f"verifier {ask.verifier}", VERIFIERS[ask.verifier] * sum(counts))
        return super().answer(ask, until)


def searched(spec: str, budget: Budget) -> tuple[SearchResult, TreeWorld]:
    """Candidates of 80 to 119 tokens; wer is the same of all, sim tells them apart."""
    world = TreeWorld(
        lambda lineage: 80 + (17 * sum(branch for _, branch in lineage)) % 40,
        lambda verifier, beam, _: Score(0.5 if verifier == "wer" else sum(beam.tokens) % 97 / 97),
    )
    search = RequestSearch(
        Request(TEXT),
        build(spec, METRICS),
        PricedSession(world),
        directions=METRICS,
        models={"preset": "fake"},
        budget=budget,
    )
    while (result := search.advance()) is None:
        pass
    return result, world


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("limit", [1500, 4000, 9000])
def test_operations_hold_with_the_verifiers(name: str, limit: int) -> None:
    result, world = searched(WIDE[name], Budget(flops=limit))
    spent = sum(result.ledger.flops.values())
    assert result.stopped or spent <= limit
    assert spent <= 1.05 * limit
    assert not result.winner.cut_off and not {"cut off", "nothing complete"} & set(result.ends)
    if name in ("best-of-n", "adaptive"):  # what is left has no room for one more of the longest
        assert spent > limit - (2 * 119 + 400)
    complete = [ask for ask in world.asks if isinstance(ask, Measure) and not ask.partial]
    measured = [(ask.verifier, beam.tokens) for ask in complete for beam in ask.beams]
    assert len(measured) == len(set(measured))  # nothing is measured twice


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("limit", [300, 1000])
def test_tokens_are_never_exceeded(name: str, limit: int) -> None:
    result, world = searched(WIDE[name], Budget(tokens=limit))
    grown = sum(1 for ask in world.asks if isinstance(ask, Extend))
    assert result.ledger.tokens_generated <= limit and grown
    assert not result.winner.cut_off


@pytest.mark.parametrize("name", WIDE)
def test_a_limit_that_does_not_end_the_search_changes_nothing(name: str) -> None:
    if name in ("adaptive", "repair"):
        spec = WIDE[name].replace("n=64", "n=8").replace("rounds=32", "rounds=2")
    else:
        spec = WIDE[name].replace("n=64", "n=8")
    free, _ = searched(spec, Budget())
    wide, _ = searched(spec, Budget(flops=1e9))
    assert not wide.stopped
    assert [one.tokens for one in wide.candidates] == [one.tokens for one in free.candidates]
    assert [one.rank for one in wide.candidates] == [one.rank for one in free.candidates]


def test_prices_grow_with_count_and_length() -> None:
    prices = Prices()
    assert not prices.knows("wer", partial=False)
    assert prices.of_measuring("wer", partial=False, count=4, tokens=10) == Cost()
    prices.measured("wer", partial=False, count=2, tokens=100, cost=Cost(200.0, 1.0))
    assert prices.knows("wer", partial=False) and not prices.knows("wer", partial=True)
    assert prices.of_measuring("wer", partial=False, count=3, tokens=50) == Cost(300.0, 1.5)
    assert prices.of_measuring("wer", partial=False, count=1, tokens=150) == Cost(150.0, 0.75)
    prices.measured("wer", partial=False, count=4, tokens=100, cost=Cost(4.0, 2.0))  # silence
    assert prices.of_measuring("wer", partial=False, count=1, tokens=100) == Cost(100.0, 0.5)
    prices.decoded(2, 50, Cost(20.0, 1.0))
    assert prices.of_decoding(1, 200) == Cost(40.0, 1.0)
    prices.extended(4, 25, 100.0, Cost(110.0, 0.5))
    found = prices.of_extending(8, 50, 100.0)
    assert found.flops == pytest.approx(110.0) and found.seconds == pytest.approx(0.5 * 2 * 2)
    assert prices.of_extending(1, 50, 100.0).seconds == pytest.approx(1.0)  # one beam takes the same steps
    before, after = Ledger(flops={"generator": 5.0}), Ledger(flops={"generator": 7.0, "codec": 1.0})
    assert Cost.of(before, after, 2.0) == Cost(3.0, 2.0)
    assert Cost.of_codec(before, after) == Cost(1.0, 0.0)


@pytest.mark.models
@pytest.mark.parametrize("limit", [4e10, 1e11])
def test_operations_hold_with_the_shipped_models(limit: float) -> None:
    voice = shipped_voices()[0]
    request = Request(TEXT, prompt_audio=read_audio(voice.path), prompt_text=voice.text, seed=1)
    searcher = Searcher.from_preset("nano", verifiers=("whisper:nano", "wavlm-sv:nano"), judges=())
    for spec in (
        "best-of-n?n=32&wide=1&select=wer,sim",
        "beam?beams=2&n=2&prm=sim&select=wer,sim",
        "particle?particles=8&prm=sim&select=wer,sim",
        "repair?first=2&n=2&rounds=32&select=wer<=-1,sim",
    ):
        result = searcher.run(request, spec, budget=Budget(flops=limit))
        assert sum(result.ledger.flops.values()) <= 1.05 * limit
        assert not result.winner.cut_off
