"""Batches of similar lengths: with a mask, a padded batch gives what each waveform gives alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from llasa_core.audio import Waveform
from tests.verifiers.models.tiny_wavlm_large import write_wavlm_large
from tests.verifiers.tiny_verifiers import CONVOLUTIONS, speechlike, write_hubert
from verifiers.base import Target
from verifiers.models.hubert_ctc import HubertCTC
from verifiers.models.wavlm_large import FILE, WavLMLargeSpeaker, load_model
from verifiers.registry import find, kinds, load
from verifiers.shared.windows import pad_on, similar_lengths
from verifiers.spec import BATCH_ON_GPU, Spec

TARGET = Target(text="The train.", reference=speechlike(2.0, seed=9))


def waveforms(seed: int) -> list[Waveform]:
    """Of ten random lengths, to the sample, and of very different loudness."""
    lengths = np.random.default_rng(seed).uniform(0.5, 3.0, size=10)
    return [speechlike(length, seed + k) * np.float32(0.3 ** (k % 4)) for k, length in enumerate(lengths)]


def hubert(folder: Path, padded: bool, batch: int = 4) -> HubertCTC:
    alone = load(f"hubert-ctc:{folder}")
    assert isinstance(alone, HubertCTC)
    return HubertCTC(alone._model, alone._extractor, alone._letters, padded=padded, batch=batch)


def furthest(padded: HubertCTC, alone: HubertCTC, seed: int) -> float:
    """Largest difference of a log-probability, in ten waveforms of one batch."""
    waves = waveforms(seed)
    with torch.inference_mode():
        found, expected = padded._log_probabilities(waves), [alone._log_probabilities([w])[0] for w in waves]
    assert [len(own) for own in found] == [len(own) for own in expected]
    return max(float((a - b).abs().max()) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("seed", [0, 100])
def test_hubert_hears_in_a_padded_batch_what_it_hears_alone(hubert_folder: Path, seed: int) -> None:
    padded, alone = hubert(hubert_folder, True), hubert(hubert_folder, False)
    assert furthest(padded, alone, seed) < 2e-4  # random weights: some of them are -30
    waves = waveforms(seed)
    for partial in (False, True):
        for ours, theirs in zip(
            padded.score(waves, TARGET, partial), alone.score(waves, TARGET, partial), strict=True
        ):
            assert ours.value == theirs.value
            assert ours.evidence["heard_at"] == theirs.evidence["heard_at"]
            assert ours.evidence["logp"] == pytest.approx(theirs.evidence["logp"], abs=2e-4)


def test_a_group_norm_over_time_hears_the_padding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the base models have it: the reason why only equal lengths share a batch there."""
    monkeypatch.setitem(CONVOLUTIONS, "feat_extract_norm", "group")
    monkeypatch.setitem(CONVOLUTIONS, "do_stable_layer_norm", False)
    folder = write_hubert(tmp_path)
    padded, alone = hubert(folder, True), hubert(folder, False)
    assert furthest(padded, alone, 0) > 0.05
    large = SimpleNamespace(feat_extract_norm="layer")
    assert not pad_on("cuda", alone._model.config)
    assert pad_on("cuda:1", large) and not pad_on("cpu", large)


@pytest.mark.parametrize("seed", [0, 100])
def test_wavlm_large_embeds_in_a_padded_batch_as_alone(tmp_path: Path, seed: int) -> None:
    model = load_model(write_wavlm_large(tmp_path / FILE))
    spec = f"wavlm-large-sv:{tmp_path / FILE}"
    padded, alone = (WavLMLargeSpeaker(model, spec=spec, batch=4, padded=value) for value in (True, False))
    waves = waveforms(seed)
    np.testing.assert_allclose(padded.embed(waves), alone.embed(waves), atol=2e-5)
    for ours, theirs in zip(padded.score(waves, TARGET), alone.score(waves, TARGET), strict=True):
        assert ours.value == pytest.approx(theirs.value, abs=2e-5)


@pytest.mark.parametrize("fits", [3, 0])
def test_a_batch_that_memory_does_not_hold_is_halved(
    hubert_folder: Path, wavlm_folder: Path, fits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waves = [speechlike(0.8, seed) for seed in range(8)]
    for spec in (f"hubert-ctc:{hubert_folder}", f"wavlm-sv:{wavlm_folder}"):
        verifier: Any = load(spec)
        expected = verifier.score(waves, TARGET)
        sizes: list[int] = []
        real = verifier._model.forward

        def forward(input_values: Any, real: Any = real, sizes: list[int] = sizes, **more: Any) -> Any:
            sizes.append(len(input_values))
            if len(input_values) > fits:
                raise torch.AcceleratorError("CUDA error: out of memory")
            return real(input_values, **more)

        monkeypatch.setattr(verifier._model, "forward", forward)
        if not fits:
            with pytest.raises(torch.AcceleratorError, match="out of memory"):
                verifier.score(waves, TARGET)
            continue
        found = verifier.score(waves, TARGET)
        assert sizes == [8, 4, 2, 2, 4, 2, 2]
        assert [score.value for score in found] == pytest.approx(
            [score.value for score in expected], abs=1e-5
        )


def test_a_batch_holds_neighbours_in_length() -> None:
    waves = [np.zeros(n, np.float32) for n in (5, 900, 7, 800, 6, 5, 1000)]
    assert list(similar_lengths(waves, 3)) == [[0, 5, 4], [2, 3, 1], [6]]


def test_on_a_gpu_a_batch_has_64_rows_unless_a_spec_says_otherwise() -> None:
    batched = [kind for kind in kinds() if "batch" in getattr(find(kind), "options", {})]
    assert {"whisper", "hubert-ctc", "wavlm-sv", "wavlm-large-sv", "utmos", "dnsmos"} < set(batched)
    for kind in batched:
        found: Any = find(kind)
        assert found.read(Spec.parse(kind), "cuda:1")["batch"] == BATCH_ON_GPU == 64
        assert found.read(Spec.parse(f"{kind}?batch=3"), "cuda")["batch"] == 3
        assert "batch" not in found.read(Spec.parse(kind), "cpu")


def test_windows_of_whisper_take_a_quarter_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from whisper.model import ModelDimensions

    from llasa_core import gpu_memory
    from verifiers.models.whisper_model import windows_that_fit

    large = ModelDimensions(128, 1500, 1280, 20, 32, 51_866, 448, 1280, 20, 32)
    for gib, fit in ((8, 8), (24, 26), (80, 87)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, gib=gib: (1, gib << 30))
        assert windows_that_fit(large, "cuda") == fit
    monkeypatch.setattr(gpu_memory, "_share", 0.25)  # an actor that has a quarter of the GPU
    assert windows_that_fit(large, "cuda") == 21
