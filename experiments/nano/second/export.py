"""From the work folder to what is shipped: models, and voice prompts whose words a released ear hears."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from rich.progress import track

import verifiers
from experiments.nano.second import voices
from experiments.nano.second.check import NATURAL
from experiments.nano.second.corpus import Shards
from experiments.nano.second.kokoro import Kokoro, load_voices
from experiments.nano.train.export import PROMPT_SECONDS, copy_model, trained_words
from llasa_core.audio import SAMPLE_RATE, Waveform

SHIPPED = ("af_heart", "am_michael", "bf_emma", "bm_george", "af_bella-", "am_puck+", "af_river", "am_echo-")
"""Speakers whose neutral recordings are prompts, the default first."""
ACTING = SHIPPED[:4]
"""Of these, those who act the other styles too."""
HEARD = 6
"""Readings without a word wrong that a speaker has of a style; the most natural is shipped."""
MODELS = {
    "generator": "llasa_core/nano/generator",
    "adversary": "llasa_core/nano/codec",
    "speaker": "verifiers/nano/wavlm-sv",
    "whisper": "verifiers/nano/whisper",
    "emotion": "verifiers/nano/emotion2vec",
}
"""Trained models, and where they go."""


def title(name: str, style: str) -> str:
    """What a prompt is called: "heart", "heart-sad"."""
    plain = name.split("_")[1].rstrip("+-")
    return plain if style == "neutral" else f"{plain}-{style}"


def voice_prompts(corpus: Shards, kokoro: Kokoro, target: Path, ear: str) -> None:
    """New readings of the dev split's texts, which no model was trained on.

    Raises ValueError where no reading of a speaker and style is heard rightly.
    """
    texts = sorted(
        {corpus.utterances[i].text for i in corpus.split("dev") if corpus.utterances[i].kind in NATURAL}
    )
    wanted = [(name, "neutral") for name in SHIPPED]
    wanted += [(name, style) for name in ACTING for style in voices.STYLES if style != "neutral"]
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    entries = []
    for number, (name, style) in enumerate(track(wanted, "voice prompts")):
        found = _clearest(kokoro, texts[number :: len(wanted)], voices.VOICES[name], style, ear)
        if found is None:
            raise ValueError(f"no {style} reading by {name} is heard without a wrong word")
        text, wave = found
        called = title(name, style)
        soundfile.write(target / f"{called}.wav", wave, SAMPLE_RATE, subtype="PCM_16")
        entries.append(
            {
                "name": called,
                "file": f"{called}.wav",
                "text": text,
                "voice": title(name, "neutral"),
                "style": style,
            }
        )
    (target / "prompts.json").write_text(json.dumps(entries, indent=1) + "\n", "utf-8")


def _clearest(
    kokoro: Kokoro, texts: Sequence[str], voice: voices.Voice, style: str, ear: str
) -> tuple[str, Waveform] | None:
    """Of readings of a prompt's length, the most natural without a word wrong, and its text."""
    recogniser, quality = verifiers.load(ear), verifiers.load("dnsmos")
    low, high = (round(SAMPLE_RATE * s) for s in PROMPT_SECONDS)
    heard: list[tuple[float, str, Waveform]] = []
    for seed, text in enumerate(texts):
        reading = voices.read(kokoro, text, voice.base, style, seed)
        wave = voices.play(reading, voice, style).astype(np.float32) / np.float32(32768)
        target = verifiers.Target(text=text)
        if low <= len(wave) <= high and recogniser.score([wave], target)[0].value == 0:
            heard.append((quality.score([wave], verifiers.Target())[0].value, text, wave))
        if len(heard) == HEARD:
            break
    return max(heard, key=lambda item: item[0])[1:] if heard else None


def export(work: Path, packages: Path, ear: str) -> None:
    """Write every model that was trained, and voice prompts, below ``packages``."""
    corpus = Shards(work / "corpus")
    for name, place in MODELS.items():
        copy_model(work / name / "model", packages / place)
    trained_words(corpus, packages / MODELS["generator"])
    kokoro = Kokoro(load_voices(work))
    voice_prompts(corpus, kokoro, packages / "llasa_core" / "nano" / "prompts", ear)
