"""Many requests in flight, requests that fail, and budgets; with a real generator and codec, tiny and
random.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from llasa_core.audio import Waveform
from llasa_core.codec.codec import Codec
from llasa_core.errors import UserError
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.request import Request
from llasa_core.sampling import Sampling
from search.backends.local import LocalBackend
from search.cost.budget import Budget
from search.engine import Failure, Searcher
from search.results.result import SearchResult
from search.strategies.best_of_n import BestOfN
from search.strategies.registry import build
from tests.plain_verifiers import Crossings, Level
from verifiers.errors import VerifierError
from verifiers.selection.parse import parse_selection

METRICS = {"wer": False, "sim": True}


@pytest.fixture(scope="module")
def searcher(tiny_generator: Path, tiny_codec: Path) -> Iterator[Searcher]:
    generator = SpeechLM.from_source(str(tiny_generator), sampling=Sampling(1.0), max_seconds=2.0)
    verifiers = {"wer": Crossings("crossings"), "sim": Level("level")}
    judges = [Crossings("crossings:judge")]
    with LocalBackend(generator, Codec.from_source(str(tiny_codec)), verifiers, judges) as backend:
        yield Searcher(backend)


def best_of(n: int) -> BestOfN:
    return BestOfN(n=n, verifiers=tuple(METRICS), selection=parse_selection("wer<=0.01,sim", METRICS))


def requests(voice: Waveform, count: int = 7) -> list[Request]:
    words = "one two three four five six seven".split()
    return [
        Request(
            " ".join(words[: k + 1]),
            prompt_audio=voice[: 20_000 + 1_000 * k],
            prompt_text="a buzz",
            id=str(k),
        )
        for k in range(count)
    ]


def same(one: SearchResult, other: SearchResult) -> bool:
    return one.satisfied == other.satisfied and all(
        a.tokens == b.tokens
        and a.scores == b.scores
        and a.judged == b.judged
        and a.rank == b.rank
        and np.array_equal(a.waveform, b.waveform)
        for a, b in zip(one.candidates, other.candidates, strict=True)
    )


SPECS = (
    "best-of-n?n=5",
    "partial-prm?beams=2&n=2&step=10&seconds=0.8&prm=sim",
    "beam?beams=2&n=3&step=15&prm=sim",
)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("executor", ["inline", "one-thread", "two-threads"])
def test_results_do_not_depend_on_how_many_are_in_flight(
    searcher: Searcher, voice: Waveform, spec: str, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor on the threads of the models; and no beam is computed twice because others came between."""
    strategy = build(spec, METRICS)
    alone = {request.id: searcher.run(request, strategy) for request in requests(voice)}
    monkeypatch.setattr(searcher.backend, "executor", executor)
    for in_flight in (1, 3, 7):
        found = list(searcher.run_many(requests(voice), strategy, in_flight=in_flight))
        assert len(found) == len(alone)
        for result in found:
            assert isinstance(result, SearchResult)
            expected = alone[result.request.id]
            assert same(result, expected)
            assert result.ledger.tokens_reprefilled == 0
            for name in ("tokens_generated", "tokens_kept", "tokens_prefilled", "tokens_pruned"):
                assert getattr(result.ledger, name) == getattr(expected.ledger, name)
            assert result.ledger.flops["generator"] == pytest.approx(expected.ledger.flops["generator"])


def test_the_vocabulary_is_not_read_for_a_request(
    searcher: Searcher, voice: Waveform, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = searcher.backend
    assert isinstance(backend, LocalBackend)

    def read(tokenizer: object) -> dict[str, int]:
        raise AssertionError("the vocabulary is read again")

    monkeypatch.setattr(type(backend.generator.tokenizer), "get_vocab", read)
    assert searcher.run(requests(voice)[0], best_of(2)).candidates


def test_a_request_that_fails_ends_no_other(searcher: Searcher, voice: Waveform) -> None:
    good = requests(voice, 4)
    poisoned = Request("word " * 1500, prompt_audio=voice, prompt_text="a buzz", id="too long")
    found = list(searcher.run_many([good[0], poisoned, *good[1:]], best_of(3), in_flight=2))
    failures = [outcome for outcome in found if isinstance(outcome, Failure)]
    assert [failure.request.id for failure in failures] == ["too long"]
    assert isinstance(failures[0].error, UserError)
    assert "shorten the text" in str(failures[0].error)
    results = {r.request.id: r for r in found if isinstance(r, SearchResult)}
    assert set(results) == {request.id for request in good}
    assert all(same(results[request.id], searcher.run(request, best_of(3))) for request in good)
    with pytest.raises(UserError):
        searcher.run(poisoned, best_of(3))


def test_a_verifier_that_breaks_fails_its_request_alone(searcher: Searcher, voice: Waveform) -> None:
    class Brittle(Level):
        def score(self, candidates, target, partial=False):  # type: ignore[no-untyped-def]
            if candidates and target.text == "one two":
                raise RuntimeError("out of order")
            return super().score(candidates, target, partial)

    backend = searcher.backend
    assert isinstance(backend, LocalBackend)
    with LocalBackend(
        backend.generator, backend.codec, {"wer": Crossings("crossings"), "sim": Brittle("level")}
    ) as brittle:
        found = list(Searcher(brittle).run_many(requests(voice, 4), best_of(2)))
    assert {type(outcome).__name__ for outcome in found} == {"Failure", "SearchResult"}
    (failure,) = [outcome for outcome in found if isinstance(outcome, Failure)]
    assert failure.request.id == "1" and str(failure.error) == "out of order"


def test_a_judge_that_cannot_judge_is_found_out_before_anything_is_spoken(
    searcher: Searcher, voice: Waveform
) -> None:
    class Voiceless(Level):
        def score(self, candidates, target, partial=False):  # type: ignore[no-untyped-def]
            assert not candidates, "judged after all the work"
            raise VerifierError("needs a recording that is not there")

    spoken: list[str] = []
    backend = searcher.backend
    assert isinstance(backend, LocalBackend)
    with (
        LocalBackend(
            backend.generator, backend.codec, backend.verifiers, [Voiceless("level:judge")]
        ) as judged,
        pytest.raises(VerifierError, match="not there"),
    ):
        Searcher(judged).run(requests(voice)[0], best_of(2), progress=lambda stage, *_: spoken.append(stage))
    assert "generate" not in spoken


def test_requests_are_read_only_as_there_is_room(searcher: Searcher, voice: Waveform) -> None:
    read: list[str] = []

    def some() -> Iterator[Request]:
        for request in requests(voice):
            read.append(request.id)
            yield request

    outcomes = searcher.run_many(some(), best_of(1), in_flight=2)
    next(outcomes)
    assert len(read) <= 3
    outcomes.close()
    assert len(read) <= 3


def test_no_requests_no_results(searcher: Searcher) -> None:
    assert list(searcher.run_many([], best_of(1))) == []
    with pytest.raises(UserError, match="at least 1"):
        next(searcher.run_many([], best_of(1), in_flight=0))


def test_a_budget_of_tokens_is_never_exceeded_and_buys_whole_candidates(
    searcher: Searcher, voice: Waveform
) -> None:
    request = requests(voice)[3]
    free = searcher.run(request, best_of(8))
    for tokens in (40, 120, 250, 100_000):
        result = searcher.run(request, best_of(8), budget=Budget(tokens=tokens))
        assert result.ledger.tokens_generated <= tokens
        assert result.manifest["budget"] == {"tokens": tokens}
        count = len(result.candidates)
        if result.stopped:
            assert f"{tokens} tokens" in result.stopped or "middle of a candidate" in result.stopped
        else:
            assert tokens >= free.ledger.tokens_generated and same(result, free)
        if not any(candidate.cut_off for candidate in result.candidates):
            assert [c.tokens for c in result.candidates] == [c.tokens for c in free.candidates][:count]


def test_each_request_can_have_a_budget_of_its_own(searcher: Searcher, voice: Waveform) -> None:
    two = requests(voice)[:2]
    limits = {two[0].id: Budget(candidates=2), two[1].id: Budget(candidates=3)}
    found = list(searcher.run_many(two, best_of(4), budget=lambda request: limits[request.id]))
    counts = {one.request.id: len(one.candidates) for one in found if isinstance(one, SearchResult)}
    assert counts == {two[0].id: 2, two[1].id: 3}


def test_budgets_of_candidates_seconds_and_operations(searcher: Searcher, voice: Waveform) -> None:
    request = requests(voice)[2]
    few = searcher.run(request, best_of(6), budget=Budget(candidates=2))
    assert len(few.candidates) == 2 and "2 candidates" in few.stopped
    assert [c.tokens for c in few.candidates] == [
        c.tokens for c in searcher.run(request, best_of(2)).candidates
    ]
    free = searcher.run(request, best_of(6))
    limit = free.ledger.flops["generator"] / 3
    cheap = searcher.run(request, best_of(6), budget=Budget(flops=limit))
    assert 0 < len(cheap.candidates) < 6 and "FLOPs" in cheap.stopped
    with pytest.raises(UserError, match="give more"):
        searcher.run(request, best_of(6), budget=Budget(seconds=1e-9))
    with pytest.raises(UserError, match="more than 0"):
        Budget(tokens=0)


def test_a_result_that_a_budget_cut_off_is_flagged(searcher: Searcher, voice: Waveform) -> None:
    request = requests(voice)[3]
    length = len(searcher.run(request, best_of(1)).tokens)
    cut = searcher.run(request, best_of(4), budget=Budget(tokens=length - 1))
    assert not cut.satisfied and cut.stopped
    assert [c.cut_off for c in cut.candidates] == [True]
    assert len(cut.tokens) == length - 1


def test_a_search_within_the_loop_of_others_ends_none_of_them(searcher: Searcher, voice: Waveform) -> None:
    alone = [one for one in searcher.run_many(requests(voice), best_of(2)) if isinstance(one, SearchResult)]
    found: list[SearchResult] = []
    for outcome in searcher.run_many(requests(voice), best_of(2), in_flight=3):
        assert isinstance(outcome, SearchResult)
        found.append(outcome)
        with pytest.raises(UserError):
            searcher.run(Request("привет"), best_of(2), budget=Budget(tokens=0))
        again = searcher.run(outcome.request, best_of(2))
        assert same(again, outcome)
    by_id = {one.request.id: one for one in alone}
    assert len(found) == 7 and all(same(one, by_id[one.request.id]) for one in found)


def test_a_result_with_judges_of_the_winner_alone_is_shown(searcher: Searcher, voice: Waveform) -> None:
    (found,) = searcher.run_many(requests(voice, 1), best_of(3), heard=lambda choice: choice.ranking[:1])
    assert isinstance(found, SearchResult) and "<td></td>" in found._repr_html_()
