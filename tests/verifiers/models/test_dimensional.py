"""Arousal, dominance and valence: loading as released, the values of the model card, targets, refusals."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from llasa_core import hub
from search.results.ends import missed_emotion
from tests.verifiers.models.tiny_dimensional import edit_state, write_dimensional
from tests.verifiers.tiny_verifiers import speechlike
from verifiers import catalogue, registry
from verifiers.base import Score, Target
from verifiers.errors import VerifierError
from verifiers.models.dimensional import RELEASED, DimensionalEmotion

AXES = ("arousal", "dominance", "valence")
REFERENCE = speechlike(2.0, seed=9)
WANTED = {"arousal": 0.8, "dominance": 0.5, "valence": 0.3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dimensional(tmp_path_factory.mktemp("models") / "dimensional")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def load(folder: Path, options: str = "") -> DimensionalEmotion:
    verifier = registry.load(f"dimensional:{folder}{options}")
    assert isinstance(verifier, DimensionalEmotion)
    return verifier


def as_on_the_card(folder: Path, wave: np.ndarray) -> list[float]:
    """The values of one waveform, from the file's tensors: the encoder of transformers, built by itself, and
    the rest written out."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    encoder = Wav2Vec2Model(Wav2Vec2Config.from_pretrained(folder)).eval()
    new = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
    own = {}
    for name, tensor in state.items():
        if name.startswith("wav2vec2."):
            *path, last = name.removeprefix("wav2vec2.").split(".")
            own[".".join([*path, new.get(last, last)])] = tensor
    encoder.load_state_dict(own, strict=True)
    normal = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
    with torch.no_grad():
        pooled = torch.mean(encoder(torch.from_numpy(normal).reshape(1, -1))[0], dim=1)
        x = torch.tanh(F.linear(pooled, state["classifier.dense.weight"], state["classifier.dense.bias"]))
        values = F.linear(x, state["classifier.out_proj.weight"], state["classifier.out_proj.bias"])
    found: list[float] = values[0].tolist()
    return found


@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_the_values_are_those_of_the_model_card(folder: Path, gain: float) -> None:
    wave = (speechlike(1.3) * gain + 0.01).astype(np.float32)
    found = load(folder).dimensions([wave])[0]
    assert tuple(found) == AXES
    assert list(found.values()) == pytest.approx(as_on_the_card(folder, wave), abs=1e-5)


@pytest.mark.skipif(hub.cached(RELEASED) is None, reason="the released weights are not in the hub's cache")
def test_the_released_model_gives_what_its_card_says_of_a_silent_second() -> None:
    verifier = registry.load(f"dimensional:{RELEASED}")
    assert isinstance(verifier, DimensionalEmotion)
    found = verifier.dimensions([np.zeros(16_000, np.float32)])[0]
    assert list(found.values()) == pytest.approx([0.5460754, 0.6062266, 0.40431657], abs=1e-4)


@pytest.mark.parametrize("wanted", [WANTED, {"valence": 0.3}, {"valence": 1, "arousal": 0}])
def test_the_score_is_one_less_the_mean_distance_on_the_wanted_axes(
    folder: Path, wanted: dict[str, float]
) -> None:
    verifier = load(folder)
    wave = speechlike(1.3)
    values = verifier.dimensions([wave])[0]
    found = verifier.score([wave], Target(dimensions=wanted))[0]
    distance = float(np.mean([abs(values[axis] - value) for axis, value in wanted.items()]))
    assert found.value == pytest.approx(max(0.0, 1 - distance))
    told = {name: found.evidence.pop(name) for name in ("reached", "found")}
    assert found.evidence == {
        "seconds": 1.3,
        **{axis: pytest.approx(value, abs=1e-5) for axis, value in values.items()},
        "wanted": wanted,
    }
    assert told["found"] == ", ".join(f"{axis} {values[axis]:.2f} for {wanted[axis]:.2f}" for axis in wanted)
    assert (verifier.name, verifier.higher_is_better, verifier.needs) == ("emo-dim", True, ("dimensions",))


@pytest.mark.parametrize(("off", "reached"), [(0.0, True), (0.09, True), (-0.09, True), (0.11, False)])
def test_axes_are_reached_if_each_that_is_named_is_near(folder: Path, off: float, reached: bool) -> None:
    verifier = load(folder)
    wave = speechlike(1.3)
    values = verifier.dimensions([wave])[0]
    wanted = {"arousal": values["arousal"], "valence": values["valence"] + off}
    assert all(0 <= value <= 1 for value in wanted.values())
    score = verifier.score([wave], Target(dimensions=wanted))[0]
    assert score.evidence["reached"] is reached
    missed = missed_emotion({"wer": Score(0.0, {}), verifier.name: score})
    assert missed == ("" if reached else score.evidence["found"])


def test_a_reference_stands_for_its_own_values(folder: Path) -> None:
    verifier = load(folder, "?measure=reference")
    same, other = verifier.score([REFERENCE, speechlike(2.0)], Target(emotion_reference=REFERENCE))
    assert same.value == pytest.approx(1.0, abs=1e-6)
    assert other.value < same.value and "reached" not in other.evidence
    assert (verifier.name, verifier.needs) == ("emo-dim-sim", ("emotion_reference",))
    values = load(folder).dimensions([REFERENCE])[0]
    assert other.evidence["wanted"] == pytest.approx(values)
    for axis in AXES:
        assert same.evidence[axis] == pytest.approx(values[axis], abs=1e-5)


def test_outputs_go_by_their_names_not_by_their_places(folder: Path, tmp_path: Path) -> None:
    labels = {"0": "valence", "1": "arousal", "2": "dominance"}
    other = write_dimensional(tmp_path / "other", id2label=labels)
    wave = speechlike(1.0)
    valence, arousal, dominance = as_on_the_card(other, wave)
    found = load(other).dimensions([wave])[0]
    assert list(found.values()) == pytest.approx([arousal, dominance, valence], abs=1e-5)


def test_weights_as_safetensors_give_the_same(folder: Path, tmp_path: Path) -> None:
    from transformers import Wav2Vec2Config

    from verifiers.models.dimensional_model import EmotionModel

    other = Path(shutil.copytree(folder, tmp_path / "other"))
    model = EmotionModel.from_pretrained(folder, config=Wav2Vec2Config.from_pretrained(folder))
    model.save_pretrained(other)
    (other / "pytorch_model.bin").unlink()
    wave = speechlike(1.0)
    expected = load(folder).dimensions([wave])[0]
    assert load(other).dimensions([wave])[0] == pytest.approx(expected, abs=1e-6)


def rename(state: dict[str, Any]) -> None:
    state["classifier.dense.wait"] = state.pop("classifier.dense.weight")


def remove(state: dict[str, Any]) -> None:
    del state["wav2vec2.encoder.pos_conv_embed.conv.weight_g"]


def reshape(state: dict[str, Any]) -> None:
    state["classifier.out_proj.weight"] = state["classifier.out_proj.weight"][:2]


def add(state: dict[str, Any]) -> None:
    state["lm_head.weight"] = state["classifier.dense.weight"]


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (rename, "missing: classifier.dense.weight; unexpected: classifier.dense.wait"),
        (remove, "missing: wav2vec2.encoder.pos_conv_embed.conv"),
        (reshape, "of another shape: classifier.out_proj.weight"),
        (add, "unexpected: lm_head.weight"),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_one_line(
    copy: Path, edit: Callable[[dict[str, Any]], None], says: str
) -> None:
    edit_state(copy, edit)
    with pytest.raises(VerifierError) as caught:
        load(copy)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", [{"0": "LABEL_0", "1": "LABEL_1"}, {"0": "arousal"}, None, ["arousal"]])
def test_another_model_is_refused_without_loading(copy: Path, labels: Any) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "id2label": labels}))
    with pytest.raises(
        VerifierError, match="not arousal, dominance, valence: give a model such as"
    ) as caught:
        registry.check(f"dimensional:{copy}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("dimensional", f"no dimensional model is packaged: write dimensional:{RELEASED}"),
        ("dimensional:not/there/at/all", "not found"),
        (f"dimensional:{RELEASED}", "not in the local cache and the hub is switched off"),
        ("dimensional?measure=label", "has to be one of target, reference"),
        ("dimensional?axes=1", "no option 'axes'"),
    ],
)
@pytest.mark.skipif(hub.cached(RELEASED) is not None, reason="the released weights are in the hub's cache")
def test_a_bad_spec_is_refused_at_once(spec: str, says: str) -> None:
    with pytest.raises(VerifierError) as caught:
        registry.check(spec)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (None, "emo-dim needs values of arousal, dominance, valence: give the target dimensions"),
        ({}, "no value on any axis of emotion is given"),
        ({"arousl": 0.5}, "unknown axis of emotion 'arousl': did you mean 'arousal'?"),
        ({"arousal": 1.2}, "arousal is 1.2: give a number from 0 to 1"),
        ({"arousal": 0.5, "valence": -0.1}, "valence is -0.1: give a number from 0 to 1"),
        ({"dominance": float("nan")}, "dominance is nan: give a number from 0 to 1"),
    ],
)
def test_a_target_off_the_axes_is_refused(folder: Path, wanted: dict[str, float] | None, says: str) -> None:
    with pytest.raises(VerifierError) as caught:
        load(folder).score([], Target(dimensions=wanted))
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_names_and_needs_follow_the_measure_and_the_licence_is_shown() -> None:
    spec = f"dimensional:{RELEASED}"
    assert registry.directions(spec, f"{spec}?measure=reference") == {"emo-dim": True, "emo-dim-sim": True}
    assert registry.needs(spec) == ("dimensions",)
    assert registry.needs(f"{spec}?measure=reference") == ("emotion_reference",)
    assert catalogue.release(spec).licence == "CC BY-NC-SA 4.0: research only"
