"""The models that are shipped: their files, that they load by the ordinary path, and that they do what they
are for.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import LlamaForCausalLM

import verifiers
from llasa_core.audio import read_audio
from llasa_core.codec.codec import Codec
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.presets import PACKAGED
from llasa_core.prompt import build_prompt
from llasa_core.request import Request
from llasa_core.voices import shipped_voices
from search.engine import Searcher
from search.strategies.best_of_n import BestOfN
from verifiers.base import Target
from verifiers.selection.parse import parse_selection

ROOT = Path(__file__).parents[3]
FOLDERS = [ROOT / "llasa_core" / "nano", ROOT / "verifiers" / "nano"]
MEGABYTE = 1_000_000
NEUTRAL = [voice for voice in shipped_voices() if voice.style == "neutral"]


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.from_source("nano/codec")


@pytest.fixture(scope="module")
def generator() -> SpeechLM:
    return SpeechLM.from_source("nano/generator")


def test_the_files_are_small_and_hold_bf16():
    files = [path for folder in FOLDERS for path in folder.rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) <= 20 * MEGABYTE
    assert sum(path.stat().st_size for path in files) <= 64 * MEGABYTE
    weights = [path for path in files if path.suffix == ".safetensors"]
    assert len(weights) == 5
    for path in weights:
        with safe_open(path, "pt") as tensors:
            floats = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118
        assert floats <= {"BF16", "I64"}, path


def test_every_model_has_a_card():
    models = {path.parent for folder in FOLDERS for path in folder.rglob("*.safetensors")}
    assert all((folder / "README.md").is_file() for folder in models)


def test_at_least_four_voices_and_all_styles_are_shipped():
    assert len({voice.voice for voice in NEUTRAL}) >= 4
    assert {voice.style for voice in shipped_voices()} == {"neutral", "happy", "sad", "angry"}


@pytest.mark.parametrize(("kind", "most"), [("whisper", 0.15), ("hubert-ctc", 0.6)])
def test_both_recognisers_read_the_voice_prompts(kind, most):
    """Held-out recordings; the bounds lie well above the cards' figures, as the sample is small."""
    recogniser = verifiers.load(f"{kind}:nano")
    rates = [
        recogniser.score([read_audio(voice.path)], Target(voice.text))[0].value for voice in shipped_voices()
    ]
    assert np.mean(rates) < most, rates


def test_resynthesis_keeps_the_voice(codec):
    speaker = verifiers.load("wavlm-sv")
    originals = [read_audio(voice.path) for voice in NEUTRAL]
    again = [codec.decode([codec.encode(wave)])[0] for wave in originals]
    table = np.array([[s.value for s in speaker.score(again, Target(reference=wave))] for wave in originals])
    assert (table.argmax(axis=1) == np.arange(len(NEUTRAL))).all(), table


def test_the_generator_reads_its_text(generator, codec):
    """The loss of held-out speech has to be much lower with its own text than with another recording's."""
    model = LlamaForCausalLM.from_pretrained(PACKAGED["nano/generator"], dtype=torch.float32)
    voices = [(voice.text, codec.encode(read_audio(voice.path))) for voice in shipped_voices()]

    def loss(text: str, codes: list[int]) -> float:
        prompt = build_prompt(generator.tokenizer, text)
        ids = torch.tensor([prompt + generator.vocabulary.ids(codes)])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1]
        return float(torch.nn.functional.cross_entropy(logits.float(), ids[0, len(prompt) :]))

    right = [loss(text, codes) for text, codes in voices]
    wrong = [loss(voices[i - 1][0], codes) for i, (_, codes) in enumerate(voices)]
    assert np.mean(wrong) - np.mean(right) > 1.0
    assert all(w > r for w, r in zip(wrong, right, strict=True))


def test_search_with_the_preset_is_deterministic_and_no_worse_than_one_sample():
    searcher = Searcher.from_preset("nano")
    metrics = {"wer": False, "sim": True}
    strategy = BestOfN(n=4, verifiers=tuple(metrics), selection=parse_selection("wer,sim", metrics))
    voice = NEUTRAL[0]
    request = Request(
        "the old man found a green key", prompt_audio=read_audio(voice.path), prompt_text=voice.text
    )
    first, second = searcher.run(request, strategy), searcher.run(request, strategy)
    assert first.tokens == second.tokens
    assert np.array_equal(first.waveform, second.waveform)
    assert first.scores["wer"].value <= first.candidates[0].scores["wer"].value
