"""What every verifier keeps, whatever it measures: one test for each promise, over all kinds."""

import json
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import verifiers
from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio
from llasa_core.voices import find_voice
from tests.verifiers import tiny_verifiers
from tests.verifiers.models import (
    tiny_dimensional,
    tiny_ecapa,
    tiny_emotion2vec,
    tiny_speech,
    tiny_wavlm_large,
)
from tests.verifiers.plugins import install
from tests.verifiers.shared.test_isolation import caller_state
from tests.verifiers.tiny_verifiers import speechlike
from verifiers import Remembering, Target, Verifier, VerifierError, catalogue, registry
from verifiers.base import TOKENS
from verifiers.spec import Spec

TARGET = Target(
    text="the train is late",
    reference=read_audio(find_voice("slt").path),
    resynthesis=speechlike(2.0, 8),
    emotion="happy",
    emotion_reference=speechlike(2.0, 7),
    dimensions={"arousal": 0.7, "valence": 0.4},
)
WAVES = [speechlike(seconds, seed) for seed, seconds in enumerate((0.6, 1.0, 0.6, 1.7, 0.6, 1.0))]
SPOKEN = [
    read_audio(find_voice(f"slt{style}").path)[4_800:][: round(seconds * SAMPLE_RATE)]
    for style, seconds in zip(("", "-happy", "-angry") * 2, (1.2, 1.0, 1.2, 1.7, 1.2, 1.0), strict=True)
]
"""For a kind that judges nothing but a voice."""
MAKERS: dict[str, Callable[[Path], object]] = {
    "whisper": tiny_verifiers.write_whisper,
    "hubert-ctc": tiny_verifiers.write_hubert,
    "paraformer": tiny_speech.write_paraformer,
    "wavlm-sv": tiny_verifiers.write_wavlm,
    "wavlm-large-sv": tiny_wavlm_large.write_wavlm_large,
    "ecapa": tiny_ecapa.write_ecapa,
    "emotion2vec": tiny_emotion2vec.write_emotion2vec,
    "dimensional": tiny_dimensional.write_dimensional,
    "ge2e": tiny_speech.write_ge2e,
    "dnsmos": tiny_speech.write_dnsmos,
    "utmos": tiny_speech.write_utmos,
    "length": lambda path: None,
    "prosody": lambda path: None,
    "signal": lambda path: None,
    "artefacts": lambda path: None,
    "sphinx": lambda path: None,
    "loudness": lambda path: None,
}
OPTIONS = {
    "whisper": ("", "?unit=character&batch=2", "?normalizer=whisper"),
    "hubert-ctc": ("", "?unit=character&batch=2"),
    "paraformer": ("?language=en", "?language=en&batch=2"),
    "wavlm-sv": ("", "?reference=resynthesis&batch=2"),
    "wavlm-large-sv": ("", "?reference=resynthesis"),
    "ecapa": ("", "?reference=resynthesis&batch=2"),
    "emotion2vec": ("", "?measure=label", "?measure=label&name=joy&batch=2"),
    "dimensional": ("", "?measure=reference&batch=2"),
    "ge2e": ("", "?reference=resynthesis&batch=2", "?reference=neutral"),
    "dnsmos": ("", "?name=quality"),
    "utmos": ("", "?batch=2"),
    "length": ("", "?name=duration"),
    "prosody": ("", "?name=tone"),
    "signal": ("", "?max_pause=0.5"),
    "artefacts": ("", "?name=defects"),
    "sphinx": ("", "?unit=character&batch=2", "?bias=0.5"),
    "loudness": ("", "?level=-20"),
}
RECOGNISERS = ("whisper", "hubert-ctc", "paraformer", "sphinx")
CASES = [f"{kind}{options}" for kind, some in OPTIONS.items() for options in some]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The source of a tiny model of each kind, or "" for those without a model."""
    root = tmp_path_factory.mktemp("models")
    files = {
        "wavlm-large-sv": "wavlm_large_finetune.pth",
        "ge2e": "pretrained.pt",
        "dnsmos": "sig_bak_ovr.onnx",
        "utmos": "utmos.jit",
    }
    paths = {kind: root / files.get(kind, kind) for kind in MAKERS}
    for kind, make in MAKERS.items():
        make(paths[kind])
    return {kind: str(path) if path.exists() else "" for kind, path in paths.items()}


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, loudness="tests.verifiers.example_plugin:Loudness")


@pytest.fixture(params=CASES)
def spec(request: pytest.FixtureRequest, sources: dict[str, str]) -> str:
    kind, mark, options = str(request.param).partition("?")
    return f"{kind}:{sources[kind]}{mark}{options}" if sources[kind] else f"{kind}{mark}{options}"


@pytest.fixture(scope="module")
def loaded() -> dict[str, Verifier]:
    return {}


@pytest.fixture
def verifier(spec: str, loaded: dict[str, Verifier]) -> Verifier:
    if spec not in loaded:
        loaded[spec] = verifiers.load(spec)
    return loaded[spec]


@pytest.fixture
def waves(spec: str) -> list[Waveform]:
    return SPOKEN if Spec.parse(spec).kind == "prosody" else WAVES


def test_every_kind_is_here() -> None:
    """Those of speech tokens, which judge no audio, are tested in `tests.verifiers.models.test_tokens`."""
    on_tokens = {kind for kind in registry.kinds() if TOKENS in registry.needs(kind)}
    assert set(MAKERS) | on_tokens == set(registry.kinds()) and on_tokens == {"likelihood", "loops"}


def test_what_is_said_before_loading_is_what_is_loaded(spec: str, verifier: Verifier) -> None:
    assert verifiers.directions(spec) == {verifier.name: verifier.higher_is_better}
    assert registry.needs(spec) == verifier.needs
    about = registry.find(Spec.parse(spec).kind).about
    assert verifier.min_seconds == about.min_seconds
    kind = next(found for found in catalogue.describe() if found.kind == Spec.parse(spec).kind)
    assert (kind.problem, kind.about) == ("", about)


def test_its_spec_builds_it_again(spec: str, verifier: Verifier, waves: list[Waveform]) -> None:
    again = verifiers.load(verifier.spec)
    assert (again.spec, again.name, again.needs) == (verifier.spec, verifier.name, verifier.needs)
    found, expected = (judge.score(waves[:1], TARGET)[0] for judge in (again, verifier))
    assert found == expected


@pytest.mark.parametrize("partial", [False, True])
def test_a_batch_gives_what_single_calls_give_in_order(
    verifier: Verifier, partial: bool, waves: list[Waveform]
) -> None:
    together = verifier.score(waves, TARGET, partial)
    assert len(together) == len(waves)
    for wave, score in zip(waves, together, strict=True):
        alone = verifier.score([wave], TARGET, partial)[0]
        assert score.usable and score.reason == ""
        assert alone.value == pytest.approx(score.value, abs=1e-5)
        assert alone.evidence.get("transcript") == score.evidence.get("transcript")
        if "logp" in score.evidence:
            assert alone.evidence["logp"] == pytest.approx(score.evidence["logp"], abs=1e-5)
        assert json.loads(json.dumps(score.evidence, allow_nan=False)) == dict(score.evidence)
    distinct = {round(score.value, 6) for score in together}
    plain = (*RECOGNISERS, "signal", "length", "artefacts")
    assert len(distinct) > 2 or Spec.parse(verifier.spec).kind in plain
    assert [score.value for score in verifier.score(waves[::-1], TARGET, partial)] == pytest.approx(
        [score.value for score in together[::-1]], abs=1e-5
    )


BAD = {
    "silent": np.zeros(16_000, np.float32),
    "finite": np.where(np.arange(16_000) == 7, np.nan, speechlike(1.0)).astype(np.float32),
    "not finite": np.full(16_000, np.inf, np.float32),
    "too short to judge: 0.05 s": speechlike(0.05),
    "0.00 s": np.zeros(0, np.float32),
    "2 axes": np.stack([speechlike(1.0)] * 2, axis=1),
    "int16": (speechlike(1.0) * 32767).astype(np.int16),
}


def test_what_cannot_be_judged_has_the_worst_value_and_a_reason(
    verifier: Verifier, waves: list[Waveform]
) -> None:
    mixed = [waves[1], *BAD.values(), waves[3], waves[1].astype(np.float64)]
    first, *bad, last, wide = verifier.score(mixed, TARGET)  # type: ignore[arg-type]
    alone = [verifier.score([wave], TARGET)[0] for wave in (waves[1], waves[3])]
    assert [first.value, last.value] == pytest.approx([score.value for score in alone], abs=1e-5)
    assert wide.value == pytest.approx(first.value, abs=1e-5)
    for reason, score in zip(BAD, bad, strict=True):
        assert not score.usable and reason in score.reason
        assert score.value == bad[0].value
        worse = first.value >= score.value if verifier.higher_is_better else first.value <= score.value
        # A WER may be above 1, and the tiny DNSMOS gives anything.
        assert worse or Spec.parse(verifier.spec).kind in (*RECOGNISERS, "dnsmos")


def test_too_long_audio_is_not_judged_unless_by_windows(verifier: Verifier, waves: list[Waveform]) -> None:
    long, good = verifier.score([np.tile(waves[1], 121), waves[1]], TARGET)
    assert good.usable
    assert long.usable == (Spec.parse(verifier.spec).kind in ("whisper", "signal"))
    assert long.usable or "too long to judge: 121 s, at most 120 s" in long.reason


def test_a_target_that_lacks_what_is_needed_raises_also_without_candidates(
    verifier: Verifier, waves: list[Waveform]
) -> None:
    assert verifier.score([], TARGET) == []
    assert verifier.score([], Target(**{name: getattr(TARGET, name) for name in verifier.needs})) == []
    for name in verifier.needs:
        lacking = replace(TARGET, **{name: None})
        for candidates in ([], waves[:1]):
            with pytest.raises(VerifierError) as caught:
                verifier.score(candidates, lacking)
            assert "\n" not in str(caught.value)
        if isinstance(getattr(TARGET, name), np.ndarray):
            for bad in (np.zeros(16_000, np.float32), speechlike(0.1), BAD["finite"]):
                with pytest.raises(VerifierError, match="cannot be used"):
                    verifier.score([], replace(TARGET, **{name: bad}))


@pytest.mark.parametrize("threads", [1, 3])
def test_loading_and_scoring_leave_the_caller_alone(
    spec: str, threads: int, capfd: pytest.CaptureFixture[str], waves: list[Waveform]
) -> None:
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        before = caller_state()
        verifier = verifiers.load(spec)
        assert caller_state() == before
        verifier.score(waves[:2], TARGET)
        assert caller_state() == before
    finally:
        torch.set_num_threads(usual)
    assert capfd.readouterr().out == ""


def test_wrapped_it_is_the_same_verifier(verifier: Verifier, waves: list[Waveform]) -> None:
    remembering = Remembering(verifier)
    as_verifier: Verifier = remembering
    for name in ("name", "spec", "higher_is_better", "min_seconds", "needs"):
        assert getattr(as_verifier, name) == getattr(verifier, name)
    first = remembering.score(waves[:2], TARGET)
    assert remembering.score(waves[:2], TARGET) == first
    assert len(remembering) == 2


def test_a_spec_with_an_unknown_option_or_source_is_refused_before_loading(spec: str) -> None:
    parsed = Spec.parse(spec)
    bad = [
        replace(parsed, options={"no_such_option": "1"}),
        replace(parsed, options={**parsed.options, "name": "?"}),
        replace(parsed, source="./nowhere/at/all"),
        replace(parsed, source="x" * 300),
        replace(parsed, source="~nosuchuser/x"),
    ]
    for wrong in bad:
        for ask in (registry.check, registry.load):
            with pytest.raises(VerifierError) as caught:
                ask(str(wrong))
            assert "\n" not in str(caught.value)


def test_calls_from_several_threads_give_what_one_gives(sources: dict[str, str]) -> None:
    """The states that are put back are of the whole process, and not every network may be called at once."""
    names = ("whisper", "hubert-ctc", "wavlm-sv", "emotion2vec", "signal")
    judges = [verifiers.load_shared(f"{kind}:{sources[kind]}") for kind in names]
    pairs = [(judge, wave) for wave in WAVES[:3] for judge in judges]
    expected = [judge.score([wave], TARGET)[0].value for judge, wave in pairs]
    threads = threading.active_count()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: pair[0].score([pair[1]], TARGET)[0].value, pairs))
    assert found == pytest.approx(expected, abs=1e-6)
    assert threading.active_count() == threads
