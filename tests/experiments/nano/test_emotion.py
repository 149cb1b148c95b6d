"""The recipe of the nano emotion2vec."""

import json
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.nano.data import voices
from experiments.nano.data.corpus import Corpus
from experiments.nano.evaluate.emotion import Spoken, figure
from experiments.nano.train import emotion
from llasa_core.codec.codec import Codec
from tests.experiments.nano.small_corpus import build_corpus
from verifiers.base import Target
from verifiers.registry import load

needs_funasr = pytest.mark.skipif(find_spec("funasr") is None, reason="funasr is not installed")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Every style, and one voice that cannot act any."""
    build_corpus(tmp_path / "corpus", count=48)
    path = tmp_path / "corpus" / "utterances.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for k, line in enumerate(lines):
        line["style"] = list(voices.STYLES)[k // 3 % 4]
        if line["voice"] == "voice2" and line["style"] == "neutral":
            line["voice"] = "rms"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return Corpus(tmp_path / "corpus")


def test_the_classes_are_the_acted_styles() -> None:
    assert set(emotion.TOKENS) == set(voices.STYLES)
    assert all(token.split("/")[1] == style for style, token in emotion.TOKENS.items())


def test_the_pitch_of_a_tone_or_an_octave_of_it_is_found_and_noise_has_none() -> None:
    time = torch.arange(16_000) / 16_000
    for hertz in (75.0, 120.0, 240.0, 380.0):
        buzz = torch.sign(torch.sin(2 * np.pi * hertz * time))[None]
        found = emotion.pitch_classes(buzz, 49)[0, 2:-4]
        assert (found > 0).all()
        heard = 60 * (400 / 60) ** ((found - 0.5) / emotion.PITCHES)
        assert ((hertz / heard).round() - hertz / heard).abs().max() < 0.25
        assert hertz > 130 or (heard / hertz - 1).abs().max() < 0.05
    noise = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    assert (emotion.pitch_classes(noise, 49) == 0).float().mean() > 0.9


def test_batches_favour_no_style_and_leave_out_voices_that_cannot_act(corpus: Corpus) -> None:
    batches = emotion.StyleBatches([(corpus, 1.0)])
    assert not any("rms" in by_voice for styles in batches.recordings for by_voice in styles.values())
    drawn = [batches.draw(np.random.default_rng(k)) for k in range(12)]
    labels = torch.cat([labels for _, labels in drawn])
    assert torch.bincount(labels, minlength=4).min() > len(labels) / 4 * 0.7
    for waves, _ in drawn:
        assert waves.shape[1] % emotion.LENGTH_STEP == 0
        assert waves.mean(-1).abs().max() < 1e-4 and (waves.var(-1) - 1).abs().max() < 1e-2


def test_the_codec_says_as_much_of_each_style(corpus: Corpus, tiny_codec: Path, tmp_path: Path) -> None:
    codec, folder = Codec.from_source(str(tiny_codec)), tmp_path / "again"
    emotion.resynthesise(folder, corpus, codec, count=8, seed=0)
    again = Corpus(folder)
    assert Counter(u.style for u in again.utterances) == dict.fromkeys(voices.STYLES, 2)
    assert {u.split for u in again.utterances} == {"train"}
    assert "rms" not in {u.voice for u in again.utterances}
    written = (folder / "audio.npy").stat().st_mtime_ns
    emotion.resynthesise(folder, corpus, codec, count=2, seed=1)
    assert (folder / "audio.npy").stat().st_mtime_ns == written


@needs_funasr
def test_training_goes_on_and_exports_what_the_adapter_loads(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emotion, "BATCH", 4)
    for steps in (2, 3):
        emotion.train_emotion([(corpus, 1.0)], tmp_path / "run", steps=steps, seed=0)
    folder = tmp_path / "run" / "model"
    assert {path.name for path in folder.iterdir()} == {
        "model.pt",
        "config.yaml",
        "tokens.txt",
        "configuration.json",
    }
    state = torch.load(folder / "model.pt", weights_only=True)["model"]
    assert not any("pitch" in name or "directions" in name for name in state)
    assert all(tensor.dtype == torch.float32 for tensor in state.values())
    recording = corpus.samples(0)
    found = load(f"emotion2vec:{folder}").score([recording], Target(emotion_reference=recording))[0]
    assert found.value == pytest.approx(1.0, abs=1e-5)
    assert set(found.evidence["probabilities"]) == {*voices.STYLES, "unknown"}


def test_figures_count_the_right_labels() -> None:
    class Oracle:
        min_seconds = 0.5

        def score(self, waves: list[np.ndarray], target: Target) -> list[object]:
            class Heard:
                def __init__(self, label: str) -> None:
                    self.evidence = {"label": label}

            return [Heard(list(voices.STYLES)[int(wave[0])]) for wave in waves]

        def embed(self, waves: list[np.ndarray]) -> np.ndarray:
            return np.eye(4)[[int(wave[0]) for wave in waves]]

    spoken = [Spoken(style, "v", np.full(8000, k)) for k, style in enumerate(voices.STYLES) for _ in range(5)]
    spoken += [Spoken("sad", "v", np.full(8000, 0)), Spoken("sad", "v", np.full(100, 0))]
    found = figure(Oracle(), spoken, seed=0)
    assert found["recordings"] == 21
    assert found["accuracy"] == pytest.approx(20 / 21, abs=1e-3)
    assert found["by style"]["sad"] == pytest.approx(5 / 6, abs=1e-3)
    assert found["chance"] == 0.25
    assert found["interval"][0] < found["accuracy"] <= found["interval"][1]
    assert found["eer"] < 0.15 and found["same style"] > found["other style"]
