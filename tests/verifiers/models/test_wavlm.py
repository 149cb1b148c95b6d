"""WavLM speaker similarity: loading, batches, the reference, what cannot be judged."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.verifiers.tiny_verifiers import edit_weights, speechlike
from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.models.wavlm_sv import WavLMSpeaker
from verifiers.registry import directions, load
from verifiers.shared import remembered

REFERENCE = speechlike(2.0, seed=9)
TARGET = Target(reference=REFERENCE)


@pytest.fixture
def speaker(wavlm_folder: Path) -> WavLMSpeaker:
    verifier = load(f"wavlm-sv:{wavlm_folder}?batch=2")
    assert isinstance(verifier, WavLMSpeaker)
    return verifier


def test_it_is_the_cosine_of_transformers_embeddings(wavlm_folder: Path, speaker: WavLMSpeaker) -> None:
    from transformers import Wav2Vec2FeatureExtractor, WavLMForXVector

    model = WavLMForXVector.from_pretrained(wavlm_folder, dtype=torch.float32).eval()
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(wavlm_folder)
    wave = speechlike(1.3)
    with torch.no_grad():
        a, b = (
            model(extractor(w, sampling_rate=16_000, return_tensors="pt").input_values).embeddings[0]
            for w in (wave, REFERENCE)
        )
    found = speaker.score([wave], TARGET)[0]
    assert found.value == pytest.approx(float(torch.cosine_similarity(a, b, dim=0)), abs=1e-5)
    assert found.evidence.items() >= {"seconds": 1.3, "reference_seconds": 2.0}.items()
    assert (speaker.name, speaker.higher_is_better, speaker.min_seconds) == ("sim", True, 0.5)


def test_the_reference_itself_is_entirely_similar(speaker: WavLMSpeaker) -> None:
    same, other = speaker.score([REFERENCE, speechlike(2.0)], TARGET)
    assert same.value == pytest.approx(1.0, abs=1e-6)
    assert other.value < same.value


def test_the_shortest_audio_that_passes_is_finite(speaker: WavLMSpeaker) -> None:
    assert np.isfinite(speaker.score([speechlike(0.5)], TARGET)[0].value)


def test_a_reference_is_embedded_once_and_few_are_kept(
    speaker: WavLMSpeaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    real = speaker._model.forward

    def counted(values: torch.Tensor, *rest: Any, **more: Any) -> Any:
        calls.append(len(values))
        return real(values, *rest, **more)

    monkeypatch.setattr(speaker._model, "forward", counted)
    monkeypatch.setattr(remembered, "KEPT", 2)
    wave = speechlike(1.0)
    first = speaker.score([wave], TARGET)
    assert calls == [1, 1]
    assert speaker.score([wave], Target(reference=REFERENCE.copy())) == first
    assert calls == [1, 1, 1]
    for seed in range(3):
        speaker.score([wave], Target(reference=speechlike(1.0, seed)))
    assert len(speaker._references) == 2
    # The same samples changed in place are another reference.
    changed = REFERENCE.copy()
    changed[:8000] *= 0.1
    assert speaker.score([wave], Target(reference=changed)) != first


def renamed(state: dict[str, Any]) -> None:
    state["projection.weight"] = state.pop("projector.weight")


def missing(state: dict[str, Any]) -> None:
    del state["feature_extractor.bias"]


def reshaped(state: dict[str, Any]) -> None:
    state["projector.bias"] = state["projector.bias"][:-1].clone()


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (renamed, "missing: projector.weight; unexpected: projection.weight"),
        (missing, "missing: feature_extractor.bias"),
        (reshaped, "of another shape: projector.bias"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    edit: Any, says: str, wavlm_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(wavlm_folder, tmp_path / "model"))
    edit_weights(folder, edit)
    with pytest.raises(VerifierError, match=says):
        load(f"wavlm-sv:{folder}")


def test_weights_of_the_training_loss_may_differ(
    wavlm_folder: Path, tmp_path: Path, speaker: WavLMSpeaker
) -> None:
    folder = Path(shutil.copytree(wavlm_folder, tmp_path / "model"))

    def edit(state: dict[str, Any]) -> None:
        state["objective.weight"] = state["objective.weight"][:, :2].clone()
        del state["classifier.bias"]

    edit_weights(folder, edit)
    wave = speechlike(1.0)
    assert load(f"wavlm-sv:{folder}").score([wave], TARGET) == speaker.score([wave], TARGET)


def test_sim_r_compares_with_the_resynthesis_alone(wavlm_folder: Path, speaker: WavLMSpeaker) -> None:
    spec = f"wavlm-sv:{wavlm_folder}?reference=resynthesis"
    resynthesised = load(spec)
    again = speechlike(1.4, seed=4)
    waves = [speechlike(1.0), again]
    found = resynthesised.score(waves, Target(reference=REFERENCE, resynthesis=again))
    expected = speaker.score(waves, Target(reference=again))
    assert [score.value for score in found] == pytest.approx([s.value for s in expected], abs=1e-6)
    assert found[1].value == pytest.approx(1.0, abs=1e-6)
    assert found[0].evidence.items() >= {"seconds": 1.0, "reference_seconds": 1.4}.items()
    assert (resynthesised.name, resynthesised.spec) == ("sim-r", spec)
    assert (resynthesised.needs, speaker.needs) == (("resynthesis",), ("reference",))
    assert directions(spec, f"{spec}&name=voice") == {"sim-r": True, "voice": True}
    assert load(f"wavlm-sv:{wavlm_folder}?reference=original").name == "sim"
    with pytest.raises(VerifierError, match="sim-r needs the codec's resynthesis of the reference voice"):
        resynthesised.score([], TARGET)
    with pytest.raises(VerifierError, match="has to be one of original, resynthesis"):
        load("wavlm-sv?reference=codec")


def test_what_is_shorter_than_asked_for_is_not_judged_and_the_metric_steps_back(
    wavlm_folder: Path, speaker: WavLMSpeaker
) -> None:
    patient = load(f"wavlm-sv:{wavlm_folder}?least=1.2")
    short, long = patient.score([speechlike(1.0), speechlike(1.4)], Target(reference=speechlike(1.0, seed=2)))
    assert (short.usable, short.short, long.usable) == (False, True, True)
    assert speaker.score([speechlike(1.0)], TARGET)[0].usable


def test_an_embedding_that_is_not_finite_is_no_score(
    speaker: WavLMSpeaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = speaker._vectors

    def broken(waveforms: Any) -> Any:
        vectors = real(waveforms)
        return vectors * np.nan if len(waveforms[0]) < 16_000 else vectors

    monkeypatch.setattr(speaker, "_vectors", broken)
    good, bad = speaker.score([speechlike(1.0), speechlike(0.9)], TARGET)
    assert good.usable
    assert (bad.usable, bad.value) == (False, -1.0)
    assert "finite" in bad.reason
    with pytest.raises(VerifierError, match="the reference voice cannot be used"):
        speaker.score([speechlike(1.0)], Target(reference=speechlike(0.9)))
