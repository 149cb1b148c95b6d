"""The voice prompts that are shipped with the nano models."""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from llasa_core.errors import UserError

NEUTRAL = "neutral"
FOLDER = Path(str(files("llasa_core"))) / "nano" / "prompts"


@dataclass(frozen=True)
class VoicePrompt:
    """A few seconds of speech and what is said in them; `voice` and `style` say who speaks and how."""

    name: str
    text: str
    path: Path
    voice: str = ""
    style: str = ""


def shipped_voices(folder: Path = FOLDER) -> list[VoicePrompt]:
    """In the order of `prompts.json`; the first is the default. Empty if none are shipped."""
    index = folder / "prompts.json"
    if not index.is_file():
        return []
    return [
        VoicePrompt(
            entry["name"],
            entry["text"],
            folder / entry["file"],
            entry.get("voice", ""),
            entry.get("style", ""),
        )
        for entry in json.loads(index.read_text(encoding="utf-8"))
    ]


def styles_of(voice: VoicePrompt, folder: Path = FOLDER) -> list[VoicePrompt]:
    """All shipped recordings of the voice, in every style, in their order; [] for a caller's own."""
    return [one for one in shipped_voices(folder) if voice.name and one.voice == voice.voice]


def neutral_of(voice: VoicePrompt, folder: Path = FOLDER) -> VoicePrompt | None:
    """The shipped recording in which the voice is neutral; None if it is this one, or there is none."""
    if voice.style in ("", NEUTRAL):
        return None
    return next((one for one in styles_of(voice, folder) if one.style == NEUTRAL), None)


def find_voice(name: str | None, folder: Path = FOLDER) -> VoicePrompt:
    """The voice of that name, or the default for None. Raises UserError with the nearest name."""
    voices = shipped_voices(folder)
    if not voices:
        raise UserError(
            f"no voice prompts in {folder}: give --prompt-audio and --prompt-text, or --no-prompt"
        )
    if name is None:
        return voices[0]
    by_name = {voice.name: voice for voice in voices}
    if name not in by_name:
        near = get_close_matches(name, by_name, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(by_name)}"
        raise UserError(f"no voice {name!r} is shipped: {hint}")
    return by_name[name]
