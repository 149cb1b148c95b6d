"""The recognisers' recipe: what is trained is, number for number, what the stock classes load."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import whisper
from whisper.audio import log_mel_spectrogram, pad_or_trim
from whisper.tokenizer import get_tokenizer

from experiments.nano.data.corpus import Corpus
from experiments.nano.train import hubert as hubert_recipe
from experiments.nano.train import recognisers
from experiments.nano.train import whisper as whisper_recipe
from experiments.nano.train.listening import Clip
from tests.experiments.nano.small_corpus import TEXTS, build_corpus
from verifiers.base import Target
from verifiers.registry import load


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return build_corpus(tmp_path_factory.mktemp("corpus") / "corpus")


def wave(seconds: float, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * 16_000), dtype=np.float32)


def test_mels_are_those_of_openai_whisper() -> None:
    clips = [Clip(wave(1.3), "a"), Clip(wave(2.1, 1), "b")]
    mels = recognisers.log_mel(whisper_recipe.windows(clips, 10 * 16_000))
    for clip, mel in zip(clips, mels, strict=True):
        expected = log_mel_spectrogram(pad_or_trim(clip.wave, 160_000))
        torch.testing.assert_close(mel, expected, atol=2e-5, rtol=0)


def test_sequences_are_those_of_whisper_decode() -> None:
    pieces, tokenizer = whisper_recipe.WordPieces(TEXTS), get_tokenizer(False)
    inputs, targets = pieces.sequence("seven red apples")
    start = list(tokenizer.sot_sequence_including_notimestamps)
    assert [pieces.ids[row] for row in inputs] == start + tokenizer.encode(" seven red apples")
    assert [pieces.ids[row] for row in targets] == [
        *start[1:],
        *tokenizer.encode(" seven red apples"),
        tokenizer.eot,
    ]
    _, nothing = pieces.sequence("")
    assert [pieces.ids[row] for row in nothing] == [
        tokenizer.no_speech,
        *tokenizer.encode("."),
        tokenizer.eot,
    ]


def test_the_exported_whisper_says_what_the_trained_one_said(tmp_path: Path) -> None:
    pieces = whisper_recipe.WordPieces(TEXTS)
    model = whisper_recipe.build_whisper(len(pieces.ids) + 1, seed=1).bfloat16().float().eval()
    whisper_recipe.export_whisper(model, pieces, tmp_path)
    dims = json.loads((tmp_path / "config.json").read_text())["dims"]
    assert dims == vars(whisper_recipe.DIMENSIONS)
    assert (tmp_path / "model.safetensors").stat().st_size < 20e6
    stock = load(f"whisper:{tmp_path}")._model  # type: ignore[attr-defined]
    assert isinstance(stock, whisper.model.Whisper)
    mels = recognisers.log_mel(whisper_recipe.windows([Clip(wave(1.0), "")], 10 * 16_000))
    inputs, _ = pieces.sequence("the old king")
    with torch.inference_mode():
        audio = whisper_recipe.encode_audio(model, mels)
        small = whisper_recipe.decode_text(model, torch.tensor([inputs]), audio, pieces.unused).log_softmax(
            -1
        )
        full = stock(mels, torch.tensor([[pieces.ids[row] for row in inputs]])).log_softmax(-1)
    torch.testing.assert_close(full[..., pieces.ids], small[..., :-1], atol=2e-2, rtol=0)
    unused = sorted(set(range(dims["n_vocab"])) - set(pieces.ids))
    torch.testing.assert_close(full[..., unused].logsumexp(-1), small[..., -1], atol=2e-2, rtol=0)


def test_character_targets_leave_room_for_the_blank() -> None:
    targets, counts = recognisers.characters(["ab c", ""], first=4)
    assert targets.tolist() == [5, 6, 4, 7]
    assert counts.tolist() == [4, 0]


def test_ctc_loss_of_silence_asks_for_blanks() -> None:
    blanks, letters = torch.zeros(1, 9, 32), torch.zeros(1, 9, 32)
    blanks[..., 0] = 9.0
    letters[..., 7] = 9.0
    lengths = torch.tensor([9])
    quiet = recognisers.ctc_loss(blanks, lengths, [""], first=4)
    assert quiet < 0.05 < recognisers.ctc_loss(letters, lengths, [""], first=4)


def test_waveforms_are_normalised_over_their_own_samples() -> None:
    waves, mask = hubert_recipe.normalised([Clip(wave(0.5) * 3 + 1, ""), Clip(wave(1.0), "")])
    first = waves[0][mask[0] == 1]
    assert first.mean().abs() < 1e-5 and abs(float(first.var()) - 1) < 1e-3
    assert not waves[0][mask[0] == 0].any()


@pytest.mark.parametrize(("name", "kind"), [("whisper", "whisper"), ("hubert", "hubert-ctc")])
def test_training_goes_on_and_exports_what_the_adapter_loads(
    name: str, kind: str, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {"whisper": whisper_recipe, "hubert": hubert_recipe}[name]
    monkeypatch.setattr(recipe, "BATCH", 4)
    run = getattr(recipe, f"train_{name}")
    run(recognisers.mixture(corpus, None, corpus), tmp_path, 2, 0)
    run(recognisers.mixture(corpus, corpus, corpus), tmp_path, 3, 0)
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").open()]
    assert steps == [2, 3]
    score = load(f"{kind}:{tmp_path / 'model'}").score([wave(1.0)], Target(text="seven red apples"))[0]
    assert score.usable and "transcript" in score.evidence
