"""From the work folder to what is shipped, in ``llasa_core/nano`` and ``verifiers/nano``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import soundfile

from experiments.nano.data.corpus import Corpus
from llasa_core.audio import SAMPLE_RATE

PROMPT_SECONDS = (2.2, 3.6)


def copy_model(source: Path, target: Path) -> None:
    """Replace the model files of ``target``; its model card stays."""
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        if old.name != "README.md":
            old.unlink()
    for file in source.iterdir():
        shutil.copyfile(file, target / file.name)


def trained_words(corpus: Corpus, target: Path) -> None:
    """One line for every word of the training texts: words that are not there are announced to users."""
    words = {word for i in corpus.split("train") for word in corpus.utterances[i].text.split()}
    (target / "trained_words.txt").write_text("\n".join(sorted(words)) + "\n")


def voice_prompts(corpus: Corpus, target: Path) -> None:
    """One dev recording of each voice and style, the neutral ones first; models were never trained on
    them.
    """
    target.mkdir(parents=True, exist_ok=True)
    chosen: dict[tuple[str, str], int] = {}
    low, high = (round(SAMPLE_RATE * s) for s in PROMPT_SECONDS)
    for i in corpus.split("dev"):
        u = corpus.utterances[i]
        if low <= u.length <= high:
            chosen.setdefault((u.voice, u.style), i)
    entries = []
    for voice, style in sorted(chosen, key=lambda key: (key[1] != "neutral", key[0] != "slt", key)):
        u = corpus.utterances[chosen[voice, style]]
        name = voice if style == "neutral" else f"{voice}-{style}"
        soundfile.write(
            target / f"{name}.wav", corpus.samples(chosen[voice, style]), SAMPLE_RATE, subtype="PCM_16"
        )
        entries.append({"name": name, "file": f"{name}.wav", "text": u.text, "voice": voice, "style": style})
    (target / "prompts.json").write_text(json.dumps(entries, indent=1) + "\n")


def export(work: Path, packages: Path) -> None:
    """Write every model that was trained, and voice prompts, below ``packages``."""
    corpus = Corpus(work / "corpus")
    nano = packages / "llasa_core" / "nano"
    copy_model(work / "generator" / "model", nano / "generator")
    trained_words(corpus, nano / "generator")
    copy_model(work / "joint" / "model", nano / "codec")
    voice_prompts(corpus, nano / "prompts")
    targets = {
        "whisper": "whisper",
        "hubert": "hubert-ctc",
        "speaker": "wavlm-sv",
        "emotion": "emotion2vec",
    }
    for name, target in targets.items():
        copy_model(work / name / "model", packages / "verifiers" / "nano" / target)
