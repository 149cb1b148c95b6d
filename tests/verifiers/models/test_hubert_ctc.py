"""HuBERT-CTC: loading, batches, greedy spelling, likelihoods against brute force."""

import itertools
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.verifiers.tiny_verifiers import VOCABULARY, edit_weights, speechlike
from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.models.hubert_ctc import HubertCTC, Letters
from verifiers.registry import load

TARGET = Target(text="The train.")
LETTERS = Letters({0: "", 1: " ", 2: "A", 3: "B"}, blank=0)


@pytest.fixture(scope="module")
def hubert_ctc(hubert_folder: Path) -> HubertCTC:
    verifier = load(f"hubert-ctc:{hubert_folder}?batch=2")
    assert isinstance(verifier, HubertCTC)
    return verifier


def copy_of(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def test_it_hears_what_transformers_hears(hubert_folder: Path, hubert_ctc: HubertCTC) -> None:
    from transformers import HubertForCTC, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor

    wave = speechlike(1.5)
    model = HubertForCTC.from_pretrained(hubert_folder, dtype=torch.float32).eval()
    inputs = Wav2Vec2FeatureExtractor.from_pretrained(hubert_folder)(
        wave, sampling_rate=16_000, return_tensors="pt"
    )
    with torch.no_grad():
        path = model(inputs.input_values).logits[0].argmax(-1)
    expected = Wav2Vec2CTCTokenizer.from_pretrained(hubert_folder).decode(path)
    for special in ("<s>", "</s>", "<unk>"):
        expected = expected.replace(special, "")
    found = hubert_ctc.score([wave], TARGET)[0]
    assert expected.split()
    assert found.evidence["transcript"].split() == expected.split()
    errors = sum(found.evidence[kind] for kind in ("substitutions", "deletions", "insertions"))
    assert found.value == errors / 2
    assert {p.dtype for p in hubert_ctc._model.parameters()} == {torch.float32}


def test_spelling_collapses_repeats_and_blanks_and_knows_the_time() -> None:
    path = [0, 2, 2, 0, 2, 3, 1, 1, 0, 3, 0]
    found = LETTERS.spell(path, 0.5)
    assert found == [("AAB", 0.5, 3.0), ("B", 4.5, 5.0)]
    assert LETTERS.spell([0, 1, 0], 0.5) == []


def test_letters_take_the_case_of_the_alphabet_and_leave_out_what_it_lacks() -> None:
    assert LETTERS.ids(["ab", "ba7"]) == [2, 3, 1, 3, 2]
    assert Letters({0: "", 1: "a"}, 0).ids(["A"]) == [1]


def test_the_likelihood_is_the_sum_over_all_alignments(hubert_ctc: HubertCTC) -> None:
    logp = torch.randn(4, len(VOCABULARY), generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    a, b = VOCABULARY["A"], VOCABULARY["B"]
    total = 0.0
    for path in itertools.product([0, a, b], repeat=4):
        if [k for k, _ in itertools.groupby(path) if k] == [a, b]:
            total += math.exp(sum(float(logp[t, k]) for t, k in enumerate(path)))
    assert hubert_ctc._likelihood(logp, ["ab"]) == pytest.approx(math.log(total) / 2, abs=1e-6)
    assert hubert_ctc._likelihood(logp, ["more", "letters", "than", "frames"]) == -100.0


def renamed(state: dict[str, Any]) -> None:
    state["lm_head.weights"] = state.pop("lm_head.weight")


def missing(state: dict[str, Any]) -> None:
    del state["hubert.encoder.layers.1.final_layer_norm.bias"]


def reshaped(state: dict[str, Any]) -> None:
    state["lm_head.bias"] = state["lm_head.bias"][:-1].clone()


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (renamed, "missing: lm_head.weight; unexpected: lm_head.weights"),
        (missing, r"missing: hubert.encoder.layers.1.final_layer_norm.bias"),
        (reshaped, "of another shape: lm_head.bias"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    edit: Any, says: str, hubert_folder: Path, tmp_path: Path
) -> None:
    folder = copy_of(hubert_folder, tmp_path)
    edit_weights(folder, edit)
    with pytest.raises(VerifierError, match=says):
        load(f"hubert-ctc:{folder}")


def test_the_alphabet_has_to_be_the_models(hubert_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(hubert_folder, tmp_path)
    (folder / "vocab.json").write_text(json.dumps({k: v for k, v in VOCABULARY.items() if k != "Q"}))
    with pytest.raises(VerifierError, match=r"vocab\.json that belongs to it"):
        load(f"hubert-ctc:{folder}")


def test_incomplete_and_foreign_folders_are_refused(
    hubert_folder: Path, wavlm_folder: Path, whisper_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(VerifierError, match=r"lacks vocab.json"):
        load(f"hubert-ctc:{wavlm_folder}")
    folder = copy_of(hubert_folder, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    with pytest.raises(VerifierError, match="of type 'llama'"):
        load(f"hubert-ctc:{folder}")
    (folder / "config.json").write_text("{")
    with pytest.raises(VerifierError, match="cannot read"):
        load(f"hubert-ctc:{folder}")
    with pytest.raises(VerifierError, match="is a file"):
        load(f"hubert-ctc:{whisper_folder / 'model.safetensors'}")
    settings = json.loads((hubert_folder / "preprocessor_config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps({**settings, "sampling_rate": 8000}))
    with pytest.raises(VerifierError, match="8000 Hz"):
        load(f"hubert-ctc:{folder}")


def test_it_judges_its_own_language_only(hubert_ctc: HubertCTC, hubert_folder: Path) -> None:
    with pytest.raises(VerifierError, match="knows 'en' only"):
        hubert_ctc.score([], Target(text="guten Tag", language="de"))
    german = load(f"hubert-ctc:{hubert_folder}?language=de&name=wer-de")
    assert german.score([], Target(text="guten Tag", language="de")) == []
    assert german.name == "wer-de"


def test_the_unit_may_be_the_character(hubert_folder: Path, hubert_ctc: HubertCTC) -> None:
    by_character = load(f"hubert-ctc:{hubert_folder}?unit=character")
    assert by_character.name == "cer"
    wave = speechlike(1.0)
    heard = hubert_ctc.score([wave], TARGET)[0].evidence["transcript"]
    found = by_character.score([wave], Target(text=f"{heard} x"))[0]
    letters = len("".join(heard.split()))
    assert found.value == pytest.approx(1 / (letters + 1))
    partial = by_character.score([wave], Target(text=f"{heard} x"), partial=True)[0]
    assert (partial.value, partial.evidence["position"]) == (0.0, letters)
