"""Backend and the engine with a real generator and codec, tiny and random."""

import json
import threading
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llasa_core.audio import Waveform
from llasa_core.codec.codec import Codec
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sequence import SpeechSequence
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.request import Request
from llasa_core.sampling import Sampling
from search.asks import Ask, Beam, Branch, Extend, Measure, Start, rewound
from search.backends.device import DeviceLost
from search.backends.local import CONTEXT_CODES, Executor, LocalBackend
from search.cost.flops import GeneratorCost
from search.cost.ledger import distinct_tokens
from search.engine import Searcher
from search.results.result import SearchResult
from search.strategies.best_of_n import BestOfN
from tests.plain_verifiers import Crossings, Level, Mood
from verifiers.base import Score, Target
from verifiers.errors import VerifierError
from verifiers.selection.parse import parse_selection

METRICS = {"wer": False, "sim": True}


@pytest.fixture(scope="module")
def generator(tiny_generator: Path) -> SpeechLM:
    return SpeechLM.from_source(str(tiny_generator), sampling=Sampling(temperature=1.0), max_seconds=1.0)


@pytest.fixture(scope="module")
def codec(tiny_codec: Path) -> Codec:
    return Codec.from_source(str(tiny_codec))


@pytest.fixture
def backend(generator: SpeechLM, codec: Codec) -> Iterator[LocalBackend]:
    verifiers = {"wer": Crossings("crossings"), "sim": Level("level")}
    with LocalBackend(generator, codec, verifiers, [Crossings("crossings:judge")]) as opened:
        yield opened


@pytest.fixture(scope="module")
def request_(voice: Waveform) -> Request:
    return Request("Seven birds in 2 trees", prompt_audio=voice, prompt_text="a buzz", seed=3)


def best_of(n: int) -> BestOfN:
    return BestOfN(n=n, verifiers=tuple(METRICS), selection=parse_selection("wer<=0.01,sim", METRICS))


def run(backend: LocalBackend, request: Request, n: int) -> SearchResult:
    return Searcher(backend).run(request, best_of(n))


class Told:
    """A session whose answers are waited for."""

    def __init__(self, backend: LocalBackend, request: Request) -> None:
        self.backend, self.session = backend, backend.open(request)
        self.ledger = self.session.ledger

    def answer(self, ask: Ask) -> Any:
        answer = self.session.answer(ask)
        self.backend.wait((answer,))
        return answer.result()


def test_asks_are_carried_out(backend: LocalBackend, request_: Request) -> None:
    session = Told(backend, request_)
    root = session.answer(Start())
    assert root == Beam((), ())
    beams = session.answer(Branch((root,), 3))
    assert [beam.lineage for beam in beams] == [(), ((0, 1),), ((0, 2),)]
    short = session.answer(Extend(beams, 7))
    assert all(0 < len(beam.tokens) <= 7 for beam in short)
    assert len({beam.tokens for beam in short}) == 3
    children = session.answer(Branch((short[2], short[0]), 2))
    assert [child.tokens for child in children] == [short[i].tokens for i in (2, 2, 0, 0)]
    longer = session.answer(Extend(children[:3], 5))
    for child, grown in zip(children, longer, strict=False):
        assert grown.tokens[: len(child.tokens)] == child.tokens
        assert grown.lineage == child.lineage
    scores = session.answer(Measure(longer, "wer", True))
    assert len(scores) == 3
    # a beam that was left lying goes on as if it had not been
    assert session.answer(Extend((short[1],), 5))[0].tokens[: len(short[1].tokens)] == short[1].tokens


def test_a_beam_made_of_its_tokens_goes_on_like_the_one_it_was(
    backend: LocalBackend, request_: Request
) -> None:
    """In another session, which has never seen it, and rewound: samples depend on the lineage alone."""
    first = Told(backend, request_)
    whole = first.answer(Extend(first.answer(Branch((first.answer(Start()),), 3)), None))[2]
    second = Told(backend, request_)
    second.answer(Start())
    cut = rewound(whole, len(whole.tokens) // 2)
    assert second.answer(Extend((cut,), None)) == (whole,)
    assert second.ledger.tokens_reprefilled == len(cut.tokens)
    # what is run again costs what it costs the first time
    tokens = second.ledger.tokens_prefilled + len(whole.tokens)
    assert second.ledger.flops["generator"] == GeneratorCost.of(backend.generator.network).flops(0, tokens)
    other = second.answer(Extend(second.answer(Branch((cut,), 1, first=7)), None))[0]
    assert other.lineage == (*cut.lineage, (len(cut.tokens), 7))
    assert other.tokens[: len(cut.tokens)] == cut.tokens and other != whole


def test_a_beam_alone_grows_as_it_does_in_company(backend: LocalBackend, request_: Request) -> None:
    grown = []
    for kept in ((0, 1, 2), (2,)):
        session = Told(backend, request_)
        beams = session.answer(Branch((session.answer(Start()),), 3))
        beams = session.answer(Extend(beams, 4))
        beams = session.answer(Extend(tuple(beams[i] for i in kept), None))
        grown.append(beams[-1])
    assert grown[0] == grown[1]


def test_the_same_request_gives_the_same_result(backend: LocalBackend, request_: Request) -> None:
    first, second = run(backend, request_, 4), run(backend, request_, 4)
    assert first.winner.number == second.winner.number
    for a, b in zip(first.candidates, second.candidates, strict=True):
        assert a.tokens == b.tokens
        assert a.scores == b.scores
        np.testing.assert_array_equal(a.waveform, b.waveform)


def test_the_first_candidates_of_more_are_those_of_fewer(backend: LocalBackend, request_: Request) -> None:
    few, many = run(backend, request_, 2), run(backend, request_, 5)
    assert [c.tokens for c in many.candidates[:2]] == [c.tokens for c in few.candidates]
    assert len({c.tokens for c in many.candidates}) == 5


def test_another_seed_gives_other_speech(backend: LocalBackend, voice: Waveform, request_: Request) -> None:
    other = Request(request_.text, prompt_audio=voice, prompt_text="a buzz", seed=4)
    assert run(backend, request_, 1).tokens != run(backend, other, 1).tokens


def test_the_ledger_adds_up(backend: LocalBackend, request_: Request, voice: Waveform) -> None:
    result = run(backend, request_, 4)
    ledger = result.ledger
    tokens = sum(len(c.tokens) for c in result.candidates)
    assert ledger.tokens_generated == ledger.tokens_kept == tokens
    assert ledger.tokens_pruned == 0
    assert ledger.tokens_prefilled > len(request_.text) + len(voice) / 320
    assert ledger.seconds_decoded == pytest.approx(tokens / 50)
    assert ledger.seconds_encoded == 2.0
    assert ledger.seconds_scored == pytest.approx({"wer": tokens / 50, "sim": tokens / 50})
    assert ledger.seconds_judged == pytest.approx({"crossings:judge": tokens / 50})
    assert set(ledger.wall) == {"codec", "generator", "verifier wer", "verifier sim", "judge crossings:judge"}
    beams = [Beam(c.lineage, c.tokens) for c in result.candidates]
    assert distinct_tokens(beams) == tokens


def test_the_voice_is_encoded_once(backend: LocalBackend, request_: Request) -> None:
    run(backend, request_, 1)
    assert run(backend, request_, 1).ledger.seconds_encoded == 0.0


def test_candidates_are_decoded_behind_the_voice(
    backend: LocalBackend, codec: Codec, voice: Waveform, request_: Request
) -> None:
    result = run(backend, request_, 2)
    context = codec.encode(voice)[-CONTEXT_CODES:]
    for candidate in result.candidates:
        assert len(candidate.waveform) == 320 * len(candidate.tokens)
        alone = codec.decode([list(candidate.tokens)], context=context)[0]
        np.testing.assert_allclose(candidate.waveform, alone, atol=1e-5)


class Resynthesised(Level):
    """Remembers the targets that it was shown."""

    name = "sim-r"
    needs = ("resynthesis",)

    def __init__(self, spec: str) -> None:
        super().__init__(spec)
        self.targets: list[Target] = []

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        self.targets.append(target)
        return super().score(candidates, target, partial)


def test_the_voice_is_said_again_by_the_codec_for_those_who_compare_with_that(
    generator: SpeechLM, codec: Codec, voice: Waveform, request_: Request
) -> None:
    sim_r = Resynthesised("level:again")
    wer = Crossings("crossings")
    session = Told(LocalBackend(generator, codec, {"wer": wer, "sim-r": sim_r}), request_)
    beams = session.answer(Extend(session.answer(Branch((session.answer(Start()),), 2)), 5))
    session.answer(Measure(beams, "wer"))
    for _ in range(2):
        session.answer(Measure(beams, "sim-r"))
    codes = codec.encode(voice)
    said = len(codes) + sum(len(beam.tokens) for beam in beams)
    assert session.ledger.seconds_decoded == pytest.approx(said / 50)
    first, *others = sim_r.targets
    assert len(others) == 2 and all(other.resynthesis is first.resynthesis for other in others)
    assert first.resynthesis is not None
    np.testing.assert_array_equal(first.resynthesis, codec.decode([codes])[0][: len(voice)])
    assert first.reference is request_.prompt_audio
    assert first.text == "Seven birds in two trees"
    assert not np.array_equal(first.resynthesis, voice)


def test_without_a_voice_there_is_nothing_to_say_again(generator: SpeechLM, codec: Codec) -> None:
    sim_r = Resynthesised("level:again")
    session = Told(LocalBackend(generator, codec, {"sim-r": sim_r}), Request("A bird."))
    beam = session.answer(Extend((session.answer(Start()),), 5))
    with pytest.raises(AssertionError):
        session.answer(Measure(beam, "sim-r"))
    assert all(target.resynthesis is None for target in sim_r.targets)


def test_the_judge_is_reported_and_does_not_choose(backend: LocalBackend, request_: Request) -> None:
    result = run(backend, request_, 3)
    unjudged = LocalBackend(backend.generator, backend.codec, backend.verifiers)
    without = Searcher(unjudged).run(request_, best_of(3))
    assert [c.rank for c in result.candidates] == [c.rank for c in without.candidates]
    assert all(set(c.judged) == {"crossings:judge"} for c in result.candidates)
    assert sorted(c.rank for c in result.candidates) == [0, 1, 2]


def test_digits_are_spoken_and_judged_as_words(backend: LocalBackend, request_: Request) -> None:
    result = run(backend, request_, 1)
    assert result.scores["wer"].evidence["transcript"] == "Seven birds in two trees"


def test_emotions_are_judged_against_and_unknown_ones_refused_at_once(
    generator: SpeechLM, codec: Codec, voice: Waveform
) -> None:
    backend = LocalBackend(generator, codec, {"emo": Mood("mood")})
    strategy = BestOfN(n=3, verifiers=("emo",), selection=parse_selection("emo", {"emo": True}))
    found = {}
    for emotion in ("happy", "sad"):
        request = Request("one two", emotion=emotion, emotion_audio=voice)
        result = Searcher(backend).run(request, strategy)
        found[emotion] = [candidate.scores["emo"].value for candidate in result.candidates]
        described = result.manifest["request"]
        assert (described["emotion"], described["emotion_samples"]) == (emotion, len(voice))
        assert len(described["emotion_sha256"]) == 64
    assert found["happy"] == [-value for value in found["sad"]]
    with pytest.raises(VerifierError, match="unknown emotion 'bored'"):
        Told(backend, Request("one two", emotion="bored")).answer(Start())


def test_the_result_is_json(backend: LocalBackend, request_: Request) -> None:
    result = run(backend, request_, 2)
    again = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert again["manifest"]["strategy"]["select"] == "wer<=0.01,sim"
    assert again["manifest"]["request"]["seed"] == 3
    assert again["manifest"]["versions"]["torch"]
    assert [step["ask"] for step in again["trace"]] == [
        "start",
        "branch",
        "extend",
        "measure",
        "measure",
    ]
    assert [step.get("verifier") for step in again["trace"][3:]] == ["wer", "sim"]
    nodes = again["trace"][2]["nodes"]
    assert [node["codes"] for node in nodes] == [c["tokens"] for c in again["candidates"]]
    assert {node["parent"] for node in nodes} == {"@0"}
    assert {score["id"] for score in again["trace"][4]["scores"]} == {node["id"] for node in nodes}
    assert again["candidates"][again["winner"]]["rank"] == 0


def test_progress_tells_when_candidates_are_done(backend: LocalBackend, request_: Request) -> None:
    seen: list[tuple[str, int, int]] = []
    Searcher(backend).run(request_, best_of(2), progress=lambda *report: seen.append(report))
    assert ("generate", 2, 2) in seen
    assert ("decode", 2, 2) in seen
    assert ("score sim", 2, 2) in seen


THREADED: list[Executor] = ["one-thread", "two-threads"]


@pytest.mark.parametrize("executor", THREADED)
def test_work_that_is_dropped_is_cancelled_also_for_those_who_wait_in_threads(
    generator: SpeechLM, codec: Codec, request_: Request, executor: Executor
) -> None:
    verifiers = {"wer": Crossings("crossings"), "sim": Level("level")}
    backend = LocalBackend(generator, codec, verifiers, executor=executor)
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        go_on.wait(30)
        return "done"

    under_way = backend.submit(slow)
    waiting = [backend.submit(slow) for _ in range(3)]
    assert begun.wait(30)
    opened = backend.open(request_).answer(Start())
    waited = ThreadPoolExecutor(1).submit(lambda: backend.wait([*waiting, opened]))
    dropping = threading.Thread(target=backend.drop)
    dropping.start()
    if executor == "two-threads":
        waited.result(30)  # what has not begun is cancelled while something else is under way
    go_on.set()
    dropping.join(30)
    assert under_way.result(30) == "done"
    for future in (*waiting, opened):
        with pytest.raises(CancelledError):
            future.result(30)
    waited.result(30)
    assert len(run(backend, request_, 1).candidates) == 1  # later requests are not affected
    backend.close()


@pytest.mark.parametrize("executor", THREADED)
def test_opening_a_request_does_not_wait_for_the_work_of_others(
    generator: SpeechLM, codec: Codec, request_: Request, executor: Executor
) -> None:
    """So that one who hands out work goes on; what cannot be scored is refused before anything is
    generated."""
    verifiers = {"emo": Mood("mood")}
    good, bad = (replace(request_, emotion=emotion) for emotion in ("happy", "bored"))
    with LocalBackend(generator, codec, verifiers, executor=executor) as backend:
        go_on = threading.Event()
        before = backend.submit(lambda: go_on.wait(30))
        sessions = [backend.open(good), backend.open(bad)]
        starts = [session.answer(Start()) for session in sessions]
        measured = sessions[1].answer(Measure((Beam((), (1, 2)),), "emo"))
        assert not any(future.done() for future in (before, *starts, measured))
        go_on.set()
        assert starts[0].result(30) == Beam((), ())
        for future in (starts[1], measured):
            with pytest.raises(VerifierError, match="unknown emotion 'bored'"):
                future.result(30)
        assert sessions[0].ledger.tokens_prefilled > 0
        assert sessions[1].ledger.tokens_prefilled == 0


def test_without_a_generator_beams_are_heard_and_not_made(
    backend: LocalBackend, codec: Codec, request_: Request
) -> None:
    """What an actor of verifiers has."""
    beams = Told(backend, request_)
    spoken = beams.answer(Extend(beams.answer(Branch((beams.answer(Start()),), 2)), 9))
    deaf = LocalBackend(None, codec, backend.verifiers)
    told = Told(deaf, request_)
    assert told.answer(Measure(spoken, "wer", True)) == beams.answer(Measure(spoken, "wer", True))
    with pytest.raises(LookupError, match="no generator"):
        told.answer(Start())
    deaf.close()


def test_a_request_that_is_given_up_before_it_began_is_cancelled_without_a_word(
    generator: SpeechLM, codec: Codec, caplog: pytest.LogCaptureFixture
) -> None:
    """An error in a callback of a future would be logged with its traceback."""
    backend = LocalBackend(generator, codec, {"wer": Crossings("crossings")}, executor="inline")
    answer = backend.open(Request("A bird.")).answer(Start())
    backend.drop()
    assert answer.cancelled() and not caplog.records


class BrokenGpu(Crossings):
    """A verifier whose kernel fails: from then on every call of the device does."""

    def score(self, waveforms: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        if waveforms:
            raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
        return []


@pytest.mark.parametrize("executor", ["inline", "two-threads"])
def test_a_device_that_has_failed_ends_everything_in_one_line(
    generator: SpeechLM, codec: Codec, request_: Request, executor: Executor
) -> None:
    """What was not searched has not failed: it is still to do."""
    verifiers = {"wer": BrokenGpu("broken"), "sim": Level("level")}
    requests = [replace(request_, id=str(k)) for k in range(5)]
    with LocalBackend(generator, codec, verifiers, executor=executor) as backend:
        outcomes = []
        with pytest.raises(DeviceLost, match=r"the device cpu has failed .*illegal memory.*--resume") as told:
            outcomes += Searcher(backend).run_many(requests, best_of(2), in_flight=2)
        assert not outcomes and "\n" not in str(told.value)


def test_what_fails_by_itself_ends_nothing_else(generator: SpeechLM, codec: Codec, request_: Request) -> None:
    class Full(BrokenGpu):
        def score(self, waveforms: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
            if waveforms:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return []

    requests = [replace(request_, id=str(k)) for k in range(3)]
    with LocalBackend(generator, codec, {"wer": Full("full"), "sim": Level("level")}) as backend:
        outcomes = list(Searcher(backend).run_many(requests, best_of(2), in_flight=2))
    assert [type(outcome).__name__ for outcome in outcomes] == ["Failure"] * 3


def test_jobs_that_are_run_alone_find_the_memory_of_their_common_round_free(
    generator: SpeechLM, codec: Codec, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what no memory was left for together would fail alone as well."""

    class Big:
        """A tensor of a round."""

    left: weakref.WeakSet[Big] = weakref.WeakSet()
    found: list[tuple[int, int]] = []
    inner = ModelRunner.extend

    def extend(runner: ModelRunner, sequences: Sequence[SpeechSequence], *given: Any) -> None:
        requests = len({sequence.request_id for sequence in sequences})
        found.append((requests, len(left)))
        big = Big()
        left.add(big)
        if requests > 1:
            raise torch.OutOfMemoryError("no room")
        inner(runner, sequences, *given)

    monkeypatch.setattr(ModelRunner, "extend", extend)
    verifiers = {"wer": Crossings("crossings"), "sim": Level("level")}
    with LocalBackend(generator, codec, verifiers) as backend:
        requests = [replace(request_, id=str(k)) for k in range(2)]
        results = list(Searcher(backend).run_many(requests, best_of(2), in_flight=2))
    assert all(isinstance(result, SearchResult) for result in results)
    assert (2, 0) in found and {held for _, held in found} == {0}


def test_the_thread_that_listens_has_a_stream_of_its_own(
    generator: SpeechLM, codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a GPU would run what it is given in line with decoding. It waits for the weights once."""
    streams: dict[int, FakeStream] = {}
    default = FakeStream("default")
    monkeypatch.setattr(torch.cuda, "Stream", FakeStream)
    monkeypatch.setattr(torch.cuda, "default_stream", lambda device: default)
    monkeypatch.setattr(torch.cuda, "set_stream", lambda one: streams.update({threading.get_ident(): one}))
    monkeypatch.setattr(codec, "device", torch.device("cuda:1"))
    with LocalBackend(generator, codec, {}, executor="two-threads") as backend:
        decodes = backend.scheduler.call(threading.get_ident).result()
        listens = {backend.submit(threading.get_ident).result() for _ in range(3)}
    assert listens == set(streams) and decodes not in streams
    (stream,) = streams.values()
    assert stream.device == torch.device("cuda:1") and stream.awaited == [default]
    streams.clear()
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "set_stream", lambda one: streams.update({threading.get_ident(): one}))
    with LocalBackend(generator, codec, {}, executor="two-threads") as backend:  # on a CPU there are none
        backend.submit(threading.get_ident).result()
    assert not streams


class FakeStream:
    def __init__(self, device: Any) -> None:
        self.device = device
        self.awaited: list[FakeStream] = []

    def wait_stream(self, other: "FakeStream") -> None:
        self.awaited.append(other)


def test_beginnings_are_forgotten_and_candidates_kept(backend: LocalBackend, request_: Request) -> None:
    session = Told(backend, request_)
    beams = session.answer(Branch((session.answer(Start()),), 2))
    short = session.answer(Extend(beams, 5))
    session.answer(Measure(short, "wer", True))
    whole = session.answer(Extend(short, None))
    assert set(session.session._waveforms) == {beam.tokens for beam in short}  # one may have ended at once
    session.answer(Measure(whole, "wer", False))
    session.answer(Extend(session.answer(Branch((Beam((), ()),), 3))[2:], 5))
    assert set(session.session._waveforms) == {beam.tokens for beam in whole}
