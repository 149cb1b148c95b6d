"""emotion2vec: loading as released, both measures, batches, what is refused, and nothing left behind."""

import shutil
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.verifiers.models.tiny_emotion2vec import LABELS, edit_state, write_emotion2vec
from tests.verifiers.tiny_verifiers import speechlike
from verifiers import registry
from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.models.emotion2vec import Emotion2vec
from verifiers.shared import loading
from verifiers.shared.isolation import isolated

pytestmark = pytest.mark.skipif(find_spec("funasr") is None, reason="funasr is not installed")
REFERENCE = speechlike(2.0, seed=9)
TARGET = Target(emotion="happy", emotion_reference=REFERENCE)
ENGLISH = [label.split("/")[1] for label in LABELS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_emotion2vec(tmp_path_factory.mktemp("models") / "emotion2vec")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def load(folder: Path, options: str = "") -> Emotion2vec:
    verifier = registry.load(f"emotion2vec:{folder}{options}")
    assert isinstance(verifier, Emotion2vec)
    return verifier


def generate(folder: Path, wave: np.ndarray) -> Any:
    """What funasr itself gives for one waveform."""
    with isolated():
        from funasr import AutoModel

        model = AutoModel(model=str(folder), device="cpu", disable_update=True, disable_pbar=True)
        return model.generate(wave, granularity="utterance", extract_embedding=True)[0]


@pytest.mark.parametrize("normalize", [True, False])
def test_similarity_is_the_cosine_of_what_funasr_generates(tmp_path: Path, normalize: bool) -> None:
    folder = write_emotion2vec(tmp_path / "model", normalize=normalize)
    wave = speechlike(1.3)
    a, b = (np.asarray(generate(folder, w)["feats"], np.float64) for w in (wave, REFERENCE))
    verifier = load(folder)
    found = verifier.score([wave], TARGET)[0]
    assert found.value == pytest.approx(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)), abs=1e-5)
    assert found.evidence["seconds"] == 1.3
    assert found.evidence["reference_seconds"] == 2.0
    assert (verifier.name, verifier.higher_is_better, verifier.min_seconds) == ("emo-sim", True, 0.5)
    assert verifier.embed([wave]) == pytest.approx((a / np.linalg.norm(a))[None], abs=1e-5)


def test_the_probability_is_what_funasr_generates(folder: Path) -> None:
    wave = speechlike(1.3)
    truth = generate(folder, wave)
    verifier = load(folder, "?measure=label")
    found = verifier.score([wave], TARGET)[0]
    probabilities = found.evidence["probabilities"]
    assert list(probabilities) == [*ENGLISH, "unknown"]
    assert list(probabilities.values()) == pytest.approx(truth["scores"], abs=1e-5)
    assert found.value == probabilities["happy"]
    assert found.evidence["label"] == max(probabilities, key=probabilities.__getitem__)
    assert (verifier.name, verifier.higher_is_better) == ("emo", True)


def test_the_reference_itself_is_entirely_similar(folder: Path) -> None:
    same, other = load(folder).score([REFERENCE, speechlike(2.0)], TARGET)
    assert same.value == pytest.approx(1.0, abs=1e-6)
    assert other.value < same.value


@pytest.mark.parametrize("name", ["happy", "开心", "开心/happy", " Happy "])
def test_a_label_goes_by_its_english_and_its_chinese_name(folder: Path, name: str) -> None:
    verifier = load(folder, "?measure=label")
    wave = speechlike(1.0)
    found = verifier.score([wave], Target(emotion=name))[0]
    assert found.value == verifier.score([wave], TARGET)[0].evidence["probabilities"]["happy"]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("hapy", "'happy'"), ("angri", "'angry'"), ("难", "'难过'"), ("bored", "(there are angry,")],
)
def test_an_unknown_label_is_answered_with_the_nearest(folder: Path, name: str, nearest: str) -> None:
    with pytest.raises(VerifierError) as caught:
        load(folder, "?measure=label").score([], Target(emotion=name))
    assert nearest in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_that_are_never_given_have_no_probability(tmp_path: Path) -> None:
    folder = write_emotion2vec(tmp_path / "model", tokens=["生气/angry", "unuse_0", "开心/happy", "<unk>"])
    verifier = load(folder, "?measure=label")
    wave = speechlike(1.0)
    found = verifier.score([wave], TARGET)[0].evidence["probabilities"]
    assert list(found) == ["angry", "happy", "unknown"]
    assert list(found.values()) == pytest.approx(generate(folder, wave)["scores"], abs=1e-5)
    with pytest.raises(VerifierError, match="unknown emotion 'unuse_0'"):
        verifier.score([], Target(emotion="unuse_0"))


def test_a_model_without_labels_compares_and_has_no_probabilities(tmp_path: Path) -> None:
    """As emotion2vec_base: no head, and weights of another name than model.pt."""
    folder = write_emotion2vec(tmp_path / "base", tokens=[], weights="emotion2vec_base.pt")
    found = load(folder).score([speechlike(1.0)], TARGET)[0]
    assert sorted(found.evidence) == ["embedding", "reference_seconds", "seconds"]
    with pytest.raises(VerifierError, match="has no labels"):
        load(folder, "?measure=label")


@pytest.mark.parametrize(
    "settings",
    [
        {"decoder": True},
        {"prefix": "d2v_model.", "scope_map": ["d2v_model.", "None"]},
        {"prefix": "module."},
        {"listed": False},
    ],
)
def test_released_forms_of_the_checkpoint_give_the_same(
    folder: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """A decoder without weights, prefixes that the settings map, no configuration.json."""
    other = write_emotion2vec(tmp_path / "other", **settings)
    wave = speechlike(1.0)
    expected = load(folder).score([wave], TARGET)[0].value
    assert load(other).score([wave], TARGET)[0].value == pytest.approx(expected, abs=1e-6)


def rename(state: dict[str, Any]) -> None:
    state["blocks.1.attn.qkv.wait"] = state.pop("blocks.1.attn.qkv.weight")


def remove(state: dict[str, Any]) -> None:
    del state["modality_encoders.AUDIO.alibi_scale"]


def reshape(state: dict[str, Any]) -> None:
    state["proj.weight"] = state["proj.weight"][:5]


def add(state: dict[str, Any]) -> None:
    state["blocks.2.attn.qkv.weight"] = state["blocks.1.attn.qkv.weight"]


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (rename, "missing: blocks.1.attn.qkv.weight; unexpected: blocks.1.attn.qkv.wait"),
        (remove, "missing: modality_encoders.AUDIO.alibi_scale"),
        (reshape, "of another shape: proj.weight"),
        (add, "unexpected: blocks.2.attn.qkv.weight"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    copy: Path, edit: Callable[[dict[str, Any]], None], says: str
) -> None:
    """funasr itself loads each of these and goes on with random weights."""
    edit_state(copy, edit)
    assert "feats" in generate(copy, speechlike(1.0))
    with pytest.raises(VerifierError) as caught:
        load(copy)
    assert says in str(caught.value)


def test_what_a_pre_training_left_in_the_file_is_no_hindrance(copy: Path) -> None:
    edit_state(
        copy, lambda state: state.update({"_ema": torch.ones(2), "recon_proj.weight": torch.ones(2, 2)})
    )
    assert load(copy).score([REFERENCE], TARGET)[0].value == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", ["model.pt", "config.yaml", "tokens.txt"])
def test_a_folder_that_lacks_a_file_is_refused_without_loading(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(VerifierError, match=f"lacks {name}"):
        registry.check(f"emotion2vec:{copy}")


def test_broken_weights_and_settings_are_refused_in_one_line(copy: Path) -> None:
    settings = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(settings.replace("model: Emotion2vec", "model: Emotion3vec"))
    with pytest.raises(VerifierError) as caught:
        load(copy)
    assert "\n" not in str(caught.value)
    (copy / "config.yaml").write_text(settings)
    (copy / "model.pt").write_bytes(b"no weights")
    with pytest.raises(VerifierError) as caught:
        load(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "says"),
    [("not/there/at/all", "not found"), ("iic/emotion2vec_plus_large", "hub is switched off")],
)
def test_a_source_that_is_not_there_is_refused_at_once(source: str, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(VerifierError, match=says):
        registry.check(f"emotion2vec:{source}")
    with pytest.raises(VerifierError, match=says):
        registry.check(f"emotion2vec:{source}?hub=hf")
    assert time.monotonic() - began < 6  # funasr's own answer for one takes 7 s


def test_names_directions_and_needs_follow_the_measure() -> None:
    assert registry.directions("emotion2vec", "emotion2vec?measure=label") == {"emo-sim": True, "emo": True}
    assert registry.directions("emotion2vec?measure=label&name=joy") == {"joy": True}
    assert registry.needs("emotion2vec") == ("emotion_reference",)
    assert registry.needs("emotion2vec?measure=label") == ("emotion",)
    assert registry.needs("wavlm-sv") == ("reference",)


def test_without_funasr_the_install_command_is_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(VerifierError, match=r"pip install 'llasa-search\[funasr\]'"):
        registry.check(f"emotion2vec:{folder}")
