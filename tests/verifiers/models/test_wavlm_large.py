"""WavLM-large with its ECAPA head: the file's names, the embedding against a plain computation, what is
refused."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.verifiers.models.plain_wavlm_large import embedding, mixed_states
from tests.verifiers.models.tiny_wavlm_large import (
    TINY,
    Sizes,
    all_shapes,
    backbone_shapes,
    head_shapes,
    random_state,
    write_wavlm_large,
)
from tests.verifiers.tiny_verifiers import speechlike
from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.models.wavlm_large import FILE, UNUSED, WavLMLargeSpeaker, load_model
from verifiers.registry import check, directions, load

REFERENCE = speechlike(2.0, seed=9)
TARGET = Target(reference=REFERENCE)
State = dict[str, Any]


@pytest.fixture(scope="module")
def state() -> State:
    return random_state()


@pytest.fixture(scope="module")
def file(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wavlm_large(tmp_path_factory.mktemp("wavlm-large") / FILE, state)


@pytest.fixture
def speaker(file: Path) -> WavLMLargeSpeaker:
    verifier = load(f"wavlm-large-sv:{file}?batch=2")
    assert isinstance(verifier, WavLMLargeSpeaker)
    return verifier


def test_the_released_file_has_as_many_tensors_as_is_known() -> None:
    assert len(backbone_shapes(Sizes())) == 488
    assert len(head_shapes(Sizes())) == 221
    assert len(all_shapes(Sizes())) == 488 + 1 + 221 + 1


def test_every_weight_has_the_released_name_and_shape() -> None:
    from transformers import WavLMConfig

    from verifiers.models.wavlm_large_model import SpeakerModel, file_name, sizes

    released = all_shapes(Sizes())
    config, head = sizes(released)
    with torch.device("meta"):
        model = SpeakerModel(WavLMConfig(**config), head)
    own = {file_name(name): tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert len(own) == len(model.state_dict())
    assert own == {name: shape for name, shape in released.items() if name != UNUSED}
    # The configuration of microsoft/wavlm-large, where no shape of the released file differs from it.
    expected = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "num_buckets": 320}
    expected |= {
        "intermediate_size": 4096,
        "num_conv_pos_embeddings": 128,
        "num_conv_pos_embedding_groups": 16,
    }
    assert {name: config[name] for name in expected} == expected
    assert (config["conv_dim"], config["conv_kernel"]) == ([512] * 7, [10, 3, 3, 3, 3, 2, 2])
    assert not config["conv_bias"]
    assert (head.channels, head.scale, head.embedding) == (512, 8, 256)


@pytest.mark.parametrize("seconds", [0.5, 1.3])
def test_the_embedding_is_that_of_a_plain_computation(state: State, file: Path, seconds: float) -> None:
    model = load_model(file)
    for seed in range(3):
        # Quiet audio too: the normalisation of the waveform has an epsilon.
        wave = torch.from_numpy(speechlike(seconds, seed)) * 0.03**seed
        with torch.no_grad():
            found = model(wave[None])[0].double()
        expected = embedding(state, wave)
        assert expected.abs().mean() > 0.5
        torch.testing.assert_close(found, expected, atol=5e-5, rtol=0)


@pytest.mark.parametrize("number", range(TINY.layers + 1))
def test_each_of_the_states_is_the_right_one(state: State, number: int, tmp_path: Path) -> None:
    """One at a time; the last with so small a spread that the epsilon of the normalisation over time
    shows."""
    chosen = {**state, "feature_weight": torch.zeros(TINY.layers + 1)}
    chosen["feature_weight"][number] = 30.0
    name = "feature_extract.model.encoder.layer_norm.weight"
    chosen[name] = state[name] * 0.01
    model = load_model(write_wavlm_large(tmp_path / FILE, chosen))
    wave = torch.from_numpy(speechlike(1.0))
    with torch.no_grad():
        found = model.features(wave[None])[0].double()
    torch.testing.assert_close(found, mixed_states(chosen, wave), atol=5e-5, rtol=0)


def test_the_score_is_the_cosine_of_the_embeddings(state: State, speaker: WavLMLargeSpeaker) -> None:
    wave = speechlike(1.3)
    a, b = (embedding(state, torch.from_numpy(audio)) for audio in (wave, REFERENCE))
    found, same = speaker.score([wave, REFERENCE], TARGET)
    assert found.value == pytest.approx(float(torch.cosine_similarity(a, b, dim=0)), abs=1e-5)
    assert found.evidence.items() >= {"seconds": 1.3, "reference_seconds": 2.0}.items()
    assert same.value == pytest.approx(1.0, abs=1e-6)
    assert (speaker.name, speaker.higher_is_better, speaker.min_seconds) == ("sim", True, 0.5)
    np.testing.assert_allclose(np.linalg.norm(speaker.embed([wave]), axis=1), 1.0)


def test_a_batch_gives_what_single_calls_give_in_order(speaker: WavLMLargeSpeaker) -> None:
    waves = [speechlike(seconds, seed) for seed, seconds in enumerate((0.5, 1.0, 0.5, 1.7, 0.5, 1.0))]
    bad = [np.zeros(16_000, np.float32), speechlike(0.49), speechlike(1.0) * np.float32("nan")]
    together = speaker.score([*bad, *waves], TARGET)
    assert [(score.usable, score.value) for score in together[:3]] == [(False, -1.0)] * 3
    for score, says in zip(together, ("silent", "too short", "not finite"), strict=False):
        assert says in score.reason
    alone = [speaker.score([wave], TARGET)[0].value for wave in waves]
    assert [score.value for score in together[3:]] == pytest.approx(alone, abs=1e-5)
    vectors = speaker.embed(waves)
    np.testing.assert_allclose(vectors, [speaker.embed([wave])[0] for wave in waves], atol=1e-5)
    apart = [np.abs(a - b).max() for i, a in enumerate(vectors) for b in vectors[:i]]
    assert min(apart) > 1e-3


def test_a_folder_with_the_file_and_the_resynthesis(file: Path, speaker: WavLMLargeSpeaker) -> None:
    verifier = load(f"wavlm-large-sv:{file.parent}?reference=resynthesis")
    assert verifier.name == "sim-r"
    wave = speechlike(1.0)
    found = verifier.score([wave], Target(resynthesis=REFERENCE))
    assert found[0].value == pytest.approx(speaker.score([wave], TARGET)[0].value, abs=1e-6)
    assert directions("wavlm-large-sv", "wavlm-large-sv?name=voice") == {"sim": True, "voice": True}


def test_half_precision_and_a_missing_loss_make_no_difference_to_the_format(
    state: State, tmp_path: Path
) -> None:
    halved = {name: t.half() if t.is_floating_point() else t for name, t in state.items() if name != UNUSED}
    model = load_model(write_wavlm_large(tmp_path / FILE, halved))
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in model.parameters())
    assert not model.training


LAYER = "feature_extract.model.encoder.layers.1"


def renamed(name: str) -> Callable[[State], None]:
    def edit(state: State) -> None:
        state[name + "s"] = state.pop(name)

    return edit


def missing(name: str) -> Callable[[State], None]:
    def edit(state: State) -> None:
        del state[name]

    return edit


def cut(name: str) -> Callable[[State], None]:
    def edit(state: State) -> None:
        state[name] = state[name][:-1].clone()

    return edit


def added(state: State) -> None:
    state["loss_calculator.projection.bias"] = torch.zeros(3)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (renamed(f"{LAYER}.fc1.bias"), f"missing: {LAYER}.fc1.bias; unexpected: {LAYER}.fc1.biass"),
        (renamed("layer3.SE_Connect.linear1.bias"), "missing: layer3.SE_Connect.linear1.bias; unexpected"),
        (missing(f"{LAYER}.self_attn.grep_a"), f"missing: {LAYER}.self_attn.grep_a"),
        (
            missing("layer2.Res2Conv1dReluBn.bns.0.running_var"),
            "missing: layer2.Res2Conv1dReluBn.bns.0.running",
        ),
        (missing("layer1.conv.weight"), "missing: layer1.conv.weight"),
        (missing("feature_weight"), "missing: feature_weight"),
        (missing("feature_extract.model.encoder.pos_conv.0.weight_v"), "missing: .*weight_v"),
        (cut(f"{LAYER}.fc2.bias"), f"of another shape: {LAYER}.fc2.bias"),
        (cut("feature_weight"), "of another shape: feature_weight"),
        (cut("bn.running_mean"), "of another shape: bn.running_mean"),
        (cut("feature_extract.model.encoder.layer_norm.weight"), "such model"),
        (added, "unexpected: loss_calculator.projection.bias"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    edit: Callable[[State], None], says: str, state: State, tmp_path: Path
) -> None:
    changed = dict(state)
    edit(changed)
    file = write_wavlm_large(tmp_path / FILE, changed)
    with pytest.raises(VerifierError, match=says) as caught:
        load(f"wavlm-large-sv:{file}")
    assert "\n" not in str(caught.value)
    assert "microsoft/UniSpeech" in str(caught.value)


def test_other_files_are_refused(tmp_path: Path, state: State) -> None:
    for spec, says in (
        ("wavlm-large-sv", "there is no packaged model"),
        (f"wavlm-large-sv:{tmp_path}", "not found"),
        ("wavlm-large-sv:microsoft/UniSpeech", "give the file wavlm_large_finetune.pth"),
        (f"wavlm-large-sv:{tmp_path}?revision=main", "no option 'revision'"),
    ):
        with pytest.raises(VerifierError, match=says):
            check(spec)
    file = tmp_path / FILE
    for content, says in (
        (state, "no weights under 'model'"),
        ({"model": {"a": 1}}, "no weights under 'model'"),
        ({"model": {}}, "missing: feature_extract"),
        ({"model": state, "code": re.compile("x")}, "cannot read"),
    ):
        torch.save(content, file)
        with pytest.raises(VerifierError, match=says):
            load(f"wavlm-large-sv:{file}")
    file.write_bytes(b"no checkpoint")
    with pytest.raises(VerifierError, match="cannot read"):
        load(f"wavlm-large-sv:{file}")


@pytest.mark.slow
def test_at_full_width(tmp_path: Path) -> None:
    """24 layers, width 1024, random weights, 1.3 GB: prints the largest differences and how long it took."""
    file = write_wavlm_large(tmp_path / FILE, random_state(Sizes()))
    size = file.stat().st_size
    try:
        began = time.perf_counter()
        verifier = load(f"wavlm-large-sv:{file}")
        loaded = time.perf_counter() - began
        assert isinstance(verifier, WavLMLargeSpeaker)
        wave, reference = speechlike(2.0, seed=1), speechlike(1.5, seed=2)
        began = time.perf_counter()
        value = verifier.score([wave], Target(reference=reference))[0].value
        scored = time.perf_counter() - began
        state = torch.load(file, weights_only=True, mmap=True)["model"]
        assert len(state) == 711
        began = time.perf_counter()
        a, b = (embedding(state, torch.from_numpy(audio)) for audio in (wave, reference))
        plain = time.perf_counter() - began
    finally:
        file.unlink()
    found = torch.from_numpy(verifier.embed([wave, reference]))
    expected = torch.nn.functional.normalize(torch.stack([a, b]), dim=1)
    cosine = float(expected[0] @ expected[1])
    apart = float((found - expected).abs().max())
    print(
        f"\n{size / 1e9:.2f} GB; loaded in {loaded:.1f} s, scored in {scored:.1f} s, plainly in "
        f"{plain:.1f} s; cosine "
        f"{value:.8f}, plainly {cosine:.8f}, {abs(value - cosine):.1e} apart; unit embeddings "
        f"{apart:.1e} apart"
    )
    assert abs(value - cosine) < 1e-5
    assert apart < 1e-5
