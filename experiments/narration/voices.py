"""The voices of a book's characters: `voices.yaml`, names of characters and what speaks for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from experiments.documents import Schema, checked, read_yaml
from experiments.request_options import RequestOptions, choose_voice
from llasa_core.errors import UserError, nearest
from llasa_core.paths import regular_file, shown
from llasa_core.voices import find_voice

NARRATOR = "narrator"
"""The entry of voices.yaml that speaks what no character says; without it, the voice of the command."""
QUOTES = "quotes"
"""The entry that speaks what stands in quotation marks and is nobody's that the file names."""


class _Recording(Schema):
    """A character's voice that is no shipped one. Paths are relative to the file."""

    audio: str = Field(min_length=1)
    text: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Voice:
    """The name of a shipped voice prompt; or a recording, and what is said in it."""

    shipped: str | None = None
    audio: Path | None = None
    text: str | None = None

    def options(self, given: RequestOptions) -> RequestOptions:
        """The options of a request with this voice in place of the one that they name."""
        return replace(
            given, voice=self.shipped, prompt_audio=self.audio, prompt_text=self.text, no_prompt=False
        )


Voices = Mapping[str, Voice]
"""By name of a character, as the file writes it."""


def read_voices(path: Path) -> Voices:
    """The voices of a YAML file: `Alice: slt`, or `Bob: {audio: bob.wav, text: what is said in it}`.

    Raises UserError for a file that is no such mapping, a shipped voice that does not exist, and a recording
    that is not there.
    """
    found = read_yaml(path, "--voices")
    place = f"--voices {shown(path)}"
    if not isinstance(found, dict) or not found:
        raise UserError(f"{place} names no voice: write lines such as Alice: slt")
    names: dict[str, str] = {}
    for name in found:
        if not isinstance(name, str) or not name.strip() or any(mark in name for mark in "[],\n"):
            raise UserError(f"{place}: {str(name)[:40]!r} is no name: write it without [ ] and commas")
        if (other := names.setdefault(name.strip().casefold(), name)) != name:
            raise UserError(f"{place} has {other!r} and {name!r}, which are one name: keep one of them")
    return {name.strip(): _voice(path, f"{place}: {name}", value) for name, value in found.items()}


def _voice(file: Path, place: str, value: object) -> Voice:
    if isinstance(value, str):
        try:
            return Voice(shipped=find_voice(value).name)
        except UserError as error:
            raise UserError(f"{place}: {error}") from None
    if not isinstance(value, dict):
        raise UserError(f"{place}: give the name of a shipped voice, or audio: and text: of a recording")
    recording = checked(_Recording, value, place)
    audio = regular_file(file.parent / recording.audio, f"{place}: audio", cure="give a WAV or FLAC file")
    return Voice(audio=audio, text=recording.text)


def voice_of(speaker: str | None, voices: Voices, narrator: RequestOptions) -> RequestOptions:
    """The options of a request in the voice of a speaker, None for the narrator, whose voice the options
    name unless `voices` has one for the narrator.

    Raises UserError for a speaker without a voice.
    """
    name = next((one for one in voices if one.casefold() == (speaker or NARRATOR).casefold()), None)
    if name is not None:
        return voices[name].options(narrator)
    if speaker is None or speaker.casefold() in (NARRATOR, QUOTES):
        return narrator
    raise UserError(no_voice(speaker, voices))


def no_voice(speaker: str, voices: Voices) -> str:
    """What the user is told of a speaker that has no voice."""
    return (
        f"{speaker!r} speaks in the book and has no voice{nearest(speaker, voices)}: "
        f"add a line {speaker}: VOICE to the file of --voices"
    )


def check_speakers(speakers: Iterable[str | None], voices: Voices, narrator: RequestOptions) -> None:
    """Raises UserError unless each speaker has a voice that can be found; loads no model."""
    for speaker in dict.fromkeys(speakers):
        choose_voice(voice_of(speaker, voices, narrator))
