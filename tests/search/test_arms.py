"""Prompt search: halving over the recordings of a voice, with tiny models."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llasa_core.audio import Waveform
from llasa_core.codec.codec import Codec
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.request import Request
from llasa_core.sampling import Sampling
from search.arms import Arm, search_arms
from search.backends.local import LocalBackend
from search.engine import Failure, Searcher
from search.results.result import SearchResult
from search.strategies.best_of_n import BestOfN
from tests.plain_verifiers import Crossings, Level
from verifiers.selection.parse import parse_selection

METRICS = {"wer": False, "sim": True}
STRATEGY = BestOfN(n=6, wide=1, verifiers=tuple(METRICS), selection=parse_selection("sim", METRICS))


@pytest.fixture(scope="module")
def searcher(tiny_generator: Path, tiny_codec: Path) -> Iterator[Searcher]:
    generator = SpeechLM.from_source(str(tiny_generator), sampling=Sampling(temperature=1.0), max_seconds=0.5)
    verifiers = {"wer": Crossings("crossings"), "sim": Level("level")}
    codec = Codec.from_source(str(tiny_codec))
    with LocalBackend(generator, codec, verifiers, [Crossings("crossings:judge")]) as backend:
        yield Searcher(backend)


def arms(voice: Waveform, id: str = "0") -> list[Arm]:
    """Three recordings of different loudness."""
    request = Request("Seven birds in 2 trees", prompt_audio=voice, prompt_text="a buzz", seed=3, id=id)
    gains = {"quiet": 0.05, "plain": 1.0, "soft": 0.3}
    return [
        Arm(name, replace(request, prompt_audio=(voice * np.float32(gain)).astype(np.float32)))
        for name, gain in gains.items()
    ]


def only(found: Iterator[SearchResult | Failure]) -> SearchResult:
    (result,) = found
    assert isinstance(result, SearchResult), result.error
    return result


def test_the_winner_is_what_a_search_with_its_recording_alone_gives(
    searcher: Searcher, voice: Waveform
) -> None:
    given = arms(voice)
    result = only(search_arms(searcher, [given], STRATEGY))
    alone = {arm.name: searcher.run(arm.request, STRATEGY) for arm in given}
    tried = {arm.name: arm.candidates for arm in result.arms}
    # three arms draw 2, the better two of them 4, the best the 6 of the strategy
    assert sorted(tried.values()) == [2, 4, 6]
    draws = replace(STRATEGY, n=tried[result.arm])
    winner = searcher.run(next(arm.request for arm in given if arm.name == result.arm), draws)
    assert np.array_equal(result.waveform, winner.waveform)
    assert result.manifest["strategy"] == winner.manifest["strategy"]
    assert result.manifest["request"] == winner.manifest["request"]
    assert result.scores["sim"].value == max(arm.scores["sim"].value for arm in result.arms)
    full = next(name for name, count in tried.items() if count == 6)
    assert result.scores["sim"].value >= alone[full].scores["sim"].value
    assert all(candidate.judged for candidate in result.candidates)
    assert result.ledger.tokens_generated > winner.ledger.tokens_generated
    shown = result.as_dict()
    assert shown["arm"] == result.arm and [arm["name"] for arm in shown["arms"]] == ["quiet", "plain", "soft"]
    assert shown["manifest"]["arms"] == ["quiet", "plain", "soft"]


def test_texts_do_not_depend_on_each_other(searcher: Searcher, voice: Waveform) -> None:
    texts = [arms(voice, str(number)) for number in range(3)]
    together = [only(iter([one])) for one in search_arms(searcher, texts, STRATEGY, in_flight=2)]
    for text, found in zip(texts, together, strict=True):
        apart = only(search_arms(searcher, [text], STRATEGY))
        assert (found.arm, found.request.id) == (apart.arm, apart.request.id)
        assert np.array_equal(found.waveform, apart.waveform)


def test_an_arm_that_fails_is_left_behind(searcher: Searcher, voice: Waveform) -> None:
    given = arms(voice)
    silent = replace(given[1].request, prompt_audio=None, prompt_text="")  # nothing for `sim` to compare with
    broken = [given[0], Arm("broken", silent), given[2]]
    result = only(search_arms(searcher, [broken], STRATEGY))
    assert result.arm in ("quiet", "soft") and [arm.name for arm in result.arms] == ["quiet", "soft"]
    (failure,) = search_arms(searcher, [[Arm("broken", silent)] * 1], STRATEGY)
    assert isinstance(failure, Failure)
