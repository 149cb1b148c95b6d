"""The generator as a verifier of what it has generated: in selections, for beams, held out, and its cost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llasa_core.audio import Waveform
from llasa_core.codec.codec import Codec
from llasa_core.lm.likelihood import TeacherForcing
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.request import Request
from llasa_core.sampling import Sampling
from search.asks import Beam, Branch, Extend, Measure, Start
from search.backends.likelihood import prompt_ids
from search.backends.local import LocalBackend
from search.cost.flops import GeneratorCost
from search.engine import Searcher
from search.results.result import SearchResult
from search.strategies.registry import build
from tests.plain_verifiers import Level
from verifiers import Verifier, load
from verifiers.base import TOKENS
from verifiers.models.likelihood import GeneratorLikelihood

SPECS = ("likelihood", "likelihood?measure=margin", "likelihood?measure=lowest", "loops")
NAMES = {"logp": True, "margin": True, "lowest-margin": True, "loops": False, "sim": True}
MARGIN = "likelihood?measure=margin"


@pytest.fixture(scope="module")
def generator(tiny_generator: Path) -> SpeechLM:
    return SpeechLM.from_source(str(tiny_generator), sampling=Sampling(temperature=1.0), max_seconds=1.0)


@pytest.fixture
def backend(generator: SpeechLM, tiny_codec: Path) -> Iterator[LocalBackend]:
    verifiers: dict[str, Verifier] = {"sim": Level("level")}
    for spec in SPECS:
        found = load(spec)
        verifiers[found.name] = found
    with LocalBackend(generator, Codec.from_source(str(tiny_codec)), verifiers, [load(MARGIN)]) as opened:
        yield opened


@pytest.fixture(scope="module")
def request_(voice: Waveform) -> Request:
    return Request("Seven birds in 2 trees", prompt_audio=voice, prompt_text="a buzz", seed=3)


def search(backend: LocalBackend, request: Request, spec: str) -> SearchResult:
    return Searcher(backend).run(request, build(spec, NAMES))


def test_scores_are_those_of_teacher_forcing_behind_the_prompt(
    backend: LocalBackend, request_: Request, generator: SpeechLM
) -> None:
    result = search(backend, request_, "best-of-n?n=4&select=margin")
    assert request_.prompt_audio is not None
    voice = backend.codec.encode(request_.prompt_audio)
    given, alone = (
        TeacherForcing(generator, prompt_ids(generator, request_, voice, with_text=with_text)).logps(
            [candidate.tokens for candidate in result.candidates]
        )
        for with_text in (True, False)
    )
    for candidate, own, other in zip(result.candidates, given, alone, strict=True):
        assert candidate.scores["logp"].value == pytest.approx(own.mean(dtype=np.float64), abs=1e-6)
        assert candidate.scores["margin"].value == pytest.approx((own - other).mean(), abs=1e-5)
        assert candidate.judged[MARGIN] == candidate.scores["margin"]
    margins = [candidate.scores["margin"].value for candidate in result.candidates]
    assert result.winner.scores["margin"].value == max(margins)


def test_without_the_text_only_the_voice_is_in_the_prompt(generator: SpeechLM, request_: Request) -> None:
    with_text = prompt_ids(generator, request_, [3, 1, 4])
    alone = prompt_ids(generator, request_, [3, 1, 4], with_text=False)
    tail = generator.vocabulary.ids([3, 1, 4])
    assert with_text[-3:] == alone[-3:] == tail
    texts = len(request_.spoken.spoken) + len(request_.spoken_prompt.spoken) + 1  # a space between
    assert len(with_text) == len(alone) + texts


def test_the_ledger_counts_each_pass_once_and_shares_the_prompt(
    backend: LocalBackend, request_: Request, generator: SpeechLM
) -> None:
    result = search(backend, request_, "best-of-n?n=4&select=logp")
    cost, ledger = GeneratorCost.of(generator.network), result.ledger
    distinct = {candidate.tokens for candidate in result.candidates}
    assert request_.prompt_audio is not None
    voice = backend.codec.encode(request_.prompt_audio)
    passes = []
    for with_text in (True, False):
        prefix = len(prompt_ids(generator, request_, voice, with_text=with_text)) - 1
        own = sum(cost.flops(prefix, prefix + len(tokens)) for tokens in distinct)
        passes.append(own if with_text else own + cost.flops(0, prefix))
    assert ledger.flops["verifier logp"] == pytest.approx(passes[0])
    assert ledger.flops["verifier margin"] == pytest.approx(passes[1])
    assert ledger.flops["verifier lowest-margin"] == ledger.flops["verifier loops"] == 0
    assert ledger.flops[f"judge {MARGIN}"] == 0
    assert all(ledger.wall[f"verifier {name}"] >= 0 for name in NAMES)
    spoken = sum(map(len, distinct)) / 50
    assert ledger.seconds_scored["logp"] == ledger.seconds_judged[MARGIN] == pytest.approx(spoken)


def test_beams_are_pruned_by_it_without_running_a_token_twice(
    backend: LocalBackend, request_: Request, generator: SpeechLM
) -> None:
    session = backend.open(request_)

    def answer(ask: Any) -> Any:
        future = session.answer(ask)
        backend.wait((future,))
        return future.result()

    root = answer(Start())
    beams = answer(Extend(answer(Branch((root,), 3)), 10))
    first = answer(Measure(beams, "logp", partial=True))
    before = session.ledger.flops["verifier logp"]
    kept = [beam for beam in beams if not beam.finished][:1]
    grown = answer(Extend(answer(Branch(tuple(kept), 2)), 10))
    scores = answer(Measure(grown, "logp", partial=True))
    cost = GeneratorCost.of(generator.network)
    prefix = len(session._root.sequence.prefix) if session._root else 0
    new = sum(
        cost.flops(prefix + 10, prefix + len(beam.tokens)) for beam in {b.tokens: b for b in grown}.values()
    )
    assert session.ledger.flops["verifier logp"] - before == pytest.approx(new)
    again = answer(Measure(tuple(Beam((), beam.tokens) for beam in grown), "logp"))
    assert [score.value for score in again] == [score.value for score in scores]
    assert all(score.usable for score in (*first, *scores))
    session.close()


@pytest.mark.parametrize(
    "spec",
    [
        "beam?beams=2&n=2&step=10&prm=margin&select=margin",
        "partial-prm?beams=2&n=2&step=10&seconds=0.4&prm=logp&select=lowest-margin,logp",
    ],
)
def test_strategies_with_a_process_reward_search_by_it(
    backend: LocalBackend, request_: Request, spec: str
) -> None:
    first, second = (search(backend, request_, spec) for _ in range(2))
    assert [c.tokens for c in first.candidates] == [c.tokens for c in second.candidates]
    assert first.winner.scores["margin"].usable
    assert first.winner.scores["logp"].value == second.winner.scores["logp"].value


def test_no_audio_is_decoded_to_judge_tokens(backend: LocalBackend, request_: Request) -> None:
    session = backend.open(request_)
    codes = tuple(range(30))
    future = session.answer(Measure((Beam((), codes, True),), "logp"))
    backend.wait((future,))
    assert future.result()[0].usable
    assert session.ledger.seconds_decoded == 0
    assert TOKENS in GeneratorLikelihood().needs
    session.close()
