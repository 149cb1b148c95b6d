"""The option `window` of Whisper: fewer positions of the encoder, all else the same."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llasa_core.audio import SAMPLE_RATE, Waveform
from tests.verifiers.tiny_verifiers import DIMS, speechlike, whisper_state
from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.models.whisper import MARGIN, SAMPLES, STEP, WhisperASR
from verifiers.models.whisper_model import cut
from verifiers.registry import check, load

TARGET = Target(text="The morning train is late again.")


def released_size() -> Any:
    """A Whisper with random weights and the 1,500 positions of the released ones."""
    from whisper.model import ModelDimensions, Whisper

    dims = {**DIMS, "n_audio_ctx": 1500}
    model = Whisper(ModelDimensions(**dims))
    model.load_state_dict(whisper_state(dims))
    return model.eval()


@pytest.fixture(scope="module")
def model() -> Any:
    return released_size()


def positions(verifier: WhisperASR, waveform: Waveform) -> int:
    """Those that the encoder computed for it."""
    found: list[int] = []
    verifier.score([waveform], TARGET)  # cuts the model
    hooks = [
        model.encoder.register_forward_hook(lambda module, inputs, output: found.append(output.shape[1]))
        for model in (verifier._model, *verifier._cut.values())
    ]
    verifier.score([waveform], TARGET)
    for hook in hooks:
        hook.remove()
    (one,) = found
    return one


def test_a_cut_model_shares_its_weights_and_hears_the_beginning(model: Any) -> None:
    short = cut(model, 200)
    assert all(a is b for a, b in zip(model.parameters(), short.parameters(), strict=True))
    assert (model.dims.n_audio_ctx, short.dims.n_audio_ctx) == (1500, 200)
    assert replace(short.dims, n_audio_ctx=1500) == model.dims
    mels = torch.randn(2, 80, 400)
    with torch.inference_mode():
        expected = mels
        encoder = model.encoder
        expected = torch.nn.functional.gelu(encoder.conv1(expected))
        expected = torch.nn.functional.gelu(encoder.conv2(expected)).permute(0, 2, 1)
        expected = expected + encoder.positional_embedding[:200]
        for block in encoder.blocks:
            expected = block(expected)
        torch.testing.assert_close(short.encoder(mels), encoder.ln_post(expected))
    assert model.encoder.positional_embedding.shape[0] == 1500


@pytest.mark.parametrize(("window", "expected"), [(2.0, 100), (3.01, 151), (30.0, 1500), (None, 1500)])
def test_a_window_in_seconds(model: Any, window: float | None, expected: int) -> None:
    assert positions(WhisperASR(model, window=window), speechlike(1.5)) == expected


def test_a_small_model_keeps_what_it_has(whisper_folder: Path) -> None:
    for options in ("", "?window=10", "?window=auto"):
        verifier = load(f"whisper:{whisper_folder}{options}")
        assert isinstance(verifier, WhisperASR)
        assert positions(verifier, speechlike(1.5)) == DIMS["n_audio_ctx"]


@pytest.mark.parametrize("seconds", [0.5, 2.0, 3.2, 9.9, 29.5, 45.0])
def test_an_automatic_window_holds_the_audio_and_silence(model: Any, seconds: float) -> None:
    verifier = WhisperASR(model, window="auto")
    waveform = speechlike(min(seconds, 20))
    waveform = np.resize(waveform, round(seconds * SAMPLE_RATE)).astype(np.float32)
    if seconds < 30:
        found = positions(verifier, waveform) * SAMPLES / SAMPLE_RATE
        assert min(30.0, seconds + MARGIN) <= found <= min(30.0, seconds + MARGIN + STEP)
        assert math.isclose(found % STEP, 0.0)
    else:
        [score] = verifier.score([waveform], TARGET)
        assert score.evidence["windows"] == 2


def test_a_batch_gives_what_single_calls_give(model: Any) -> None:
    """Audio of several lengths, so of several windows."""
    verifier = WhisperASR(model, window="auto", batch=3)
    waves = [speechlike(seconds, seed) for seed, seconds in enumerate((0.5, 7.0, 1.3, 4.5, 0.7, 1.3, 7.1))]
    together = verifier.score(waves, TARGET)
    assert len(verifier._cut) > 1
    for wave, score in zip(waves, together, strict=True):
        [alone] = verifier.score([wave], TARGET)
        assert alone.evidence["transcript"] == score.evidence["transcript"]
        assert alone.value == score.value
        for number in ("logp", "avg_logprob", "no_speech_prob"):
            assert alone.evidence[number] == pytest.approx(score.evidence[number], abs=1e-5)


def test_audio_longer_than_the_window_is_cut_where_it_is_quiet(model: Any) -> None:
    [score] = WhisperASR(model, window=2.0).score([speechlike(4.5)], TARGET)
    assert score.evidence["windows"] >= 3


def test_the_whole_window_is_the_default(model: Any) -> None:
    wave = speechlike(2.0)
    assert WhisperASR(model, window=30.0).score([wave], TARGET) == WhisperASR(model).score([wave], TARGET)


@pytest.mark.parametrize("value", ["0", "0.5", "31", "-10", "nan", "inf", "long", ""])
def test_what_is_no_window_is_refused(value: str) -> None:
    with pytest.raises(VerifierError, match=r"window=.* of whisper: has to be auto, or from 1 to 30 seconds"):
        check(f"whisper:nano?window={value}")


def test_the_spec_keeps_the_window() -> None:
    assert load("whisper:nano?window=5").spec == "whisper:nano?window=5"
