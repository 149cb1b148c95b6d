"""Narrations of real speech as `narrate` leaves them: the shipped voice prompts, and what is said there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from experiments.files import Log, file_hash
from experiments.narration.takes import AUDIO, TAKES, Narration, Plan, Take, read_narration, write_plan
from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio, seconds
from llasa_core.voices import find_voice


@dataclass(frozen=True)
class Line:
    """A chunk of a test. voice: whose prompt is its audio. written: what the book has for what is said."""

    voice: str
    ends: str
    chapter: int = 1
    heading: bool = False
    passed: bool = True
    written: str = ""
    spoken: str = ""
    audio: Waveform | None = None


SHORT = (
    Line("kal", "paragraph", heading=True),
    Line("slt", "sentence"),
    Line("rms", "clause"),
    Line("awb", "paragraph", passed=False),
    Line("kit", "section"),
    Line("slt-sad", "chapter"),
    Line("kal-angry", "paragraph", chapter=2, heading=True),
    Line("awb-sad", "chapter", chapter=2),
)


def narration(folder: Path, lines: Sequence[Line] = SHORT, title: str = "A short book") -> Narration:
    """Writes the folder of a narration in which every line is spoken."""
    (folder / AUDIO).mkdir(parents=True)
    chunks, takes, numbers = [], [], sorted({line.chapter for line in lines})
    for number, line in enumerate(lines):
        prompt = find_voice(line.voice)
        said = line.spoken or f"{prompt.text[0].upper()}{prompt.text[1:]}."
        waveform = read_audio(prompt.path) if line.audio is None else line.audio
        file = f"{AUDIO}/{number:04}.flac"
        soundfile.write(folder / file, waveform, SAMPLE_RATE, subtype="PCM_16")
        paragraph = sum(one.ends not in ("clause", "sentence") for one in lines[:number])
        common = {"id": f"{number:012x}", "key": f"{number:012x}", "spoken": said}
        chunks.append(
            {
                **common,
                "number": number,
                "chapter": line.chapter,
                "paragraph": paragraph,
                "place": 0,
                "ends": line.ends,
                "written": line.written or said,
                "text": line.written or said,
                "predicted": 3.0,
                "guarded": False,
                "heading": line.heading,
                "speaker": None,
                "emotion": None,
                "lexicon": [],
            }
        )
        takes.append(_take(common, line, waveform, file, file_hash(folder / file)))
    plan = {
        "schema": 1,
        "title": title,
        "language": "en",
        "source": "book.md",
        "source_sha256": "0" * 64,
        "seed": 7,
        "settings": {"budget": 1200},
        "ears": {"whisper:tiny.en?window=10": "Whisper", "hubert-ctc:nano": "HuBERT-CTC"},
        "one_family": False,
        "chapters": [{"number": one, "title": f"Chapter {one} <&>"} for one in numbers],
        "chunks": chunks,
    }
    write_plan(folder, Plan.model_validate(plan))
    with Log(folder / TAKES) as log:
        for take in takes:
            Take.model_validate({"schema": 1, **take})
            log.append(take)
    return read_narration(folder)


def _take(common: dict[str, Any], line: Line, waveform: Waveform, file: str, sha256: str) -> dict[str, Any]:
    words = common["spoken"].rstrip(".").lower().split()
    alignment = [{"kind": "equal", "expected": word, "heard": word} for word in words]
    wrong = [{"kind": "substituted", "expected": words[0], "heard": "mice"}, *alignment[1:]]
    heard = [
        {
            "ear": ear,
            "family": family,
            "transcript": " ".join(one["heard"] for one in own),
            "errors": int(own is wrong),
            "words": len(words),
            "alignment": own,
        }
        for ear, family, own in (
            ("whisper:tiny.en?window=10", "Whisper", alignment),
            ("hubert-ctc:nano", "HuBERT-CTC", alignment if line.passed else wrong),
        )
    ]
    doubt = {
        "kind": "word",
        "says": f"hubert-ctc:nano heard “mice” instead of “{words[0]}”.",
        "ear": "hubert-ctc:nano",
        "at": 0.1,
        "word": words[0],
    }
    embedding = np.full(4, 0.5) + 0.05 * np.arange(4) * (len(words) % 3)
    return {
        **common,
        "text": common["spoken"],
        "audio": file,
        "audio_sha256": sha256,
        "seconds": round(seconds(waveform), 4),
        "passed": line.passed,
        "doubts": [] if line.passed else [doubt],
        "heard": heard,
        "measures": {
            "pace": 4.2,
            "dbfs": -22.0,
            "peak": -6.0,
            "length_ratio": 1.02,
            "similarity": 0.84,
            "speaker_ear": "ge2e",
            "embedding": [float(one) for one in embedding / np.linalg.norm(embedding)],
        },
        "attempts": [
            {
                "rung": 0,
                "strategy": "adaptive?n=8",
                "seed": 11,
                "parts": [common["spoken"]],
                "candidates": 4,
                "tokens": 480,
                "seconds": 2.5,
                "flops": 1.5e9,
                "passed": line.passed,
                "why": [] if line.passed else [doubt["says"]],
            }
        ],
        "ledger": {"tokens_generated": 480},
        "seed": 11,
        "asked": {"voice": line.voice},
        "manifests": [{"strategy": {"name": "adaptive"}, "seed": 11}],
        "session": 0,
        "elapsed": 3.0,
    }


def long_lines(count: int) -> list[Line]:
    """So many chunks in chapters of 20, some of them doubtful."""
    voices = ("kal", "slt", "rms", "awb", "kit")
    return [
        Line(
            voices[number % 5],
            "chapter" if number % 20 == 19 or number == count - 1 else "paragraph",
            chapter=number // 20 + 1,
            heading=number % 20 == 0,
            passed=number % 17 != 3,
        )
        for number in range(count)
    ]


def read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
