"""Recordings of a voice in several styles: which ones a search tries, and which one has an emotion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.request_options import RequestOptions, choose_voice, neutral_audio
from llasa_core.audio import AudioError, Waveform, read_audio
from llasa_core.emotion import Emotion
from llasa_core.errors import UserError
from llasa_core.paths import regular_file, user_path
from llasa_core.request import Request
from llasa_core.voices import VoicePrompt, styles_of
from search.arms import Arm
from verifiers.shared.emotions import meaning


def prompts_of(options: RequestOptions, voice: VoicePrompt | None) -> list[VoicePrompt]:
    """The recordings that a prompt search chooses from, the given one first; [] if none is asked for.

    A recording of the caller's has its absolute path as its name. Raises UserError where there is nothing to
    choose from.
    """
    if options.voice_styles and options.also_prompts:
        raise UserError("--voice-styles is of shipped voices, --also-prompt of your own: leave one out")
    if options.voice_styles:
        found = [] if voice is None else styles_of(voice)
        if voice is None or len(found) < 2:
            what = "no voice is given that" if voice is None else voice.name or "your own voice"
            raise UserError(
                f"--voice-styles: {what} has recordings in one style alone: name a shipped voice with more "
                "(--voice), or add recordings of your own with --also-prompt"
            )
        return [voice, *(one for one in found if one.name != voice.name)]
    if not options.also_prompts:
        return []
    if voice is None or voice.name:
        raise UserError("--also-prompt without --prompt-audio: give the first recording with --prompt-audio")
    own = [replace(voice, name=str(voice.path.absolute()))]
    for given in options.also_prompts:
        path, bar, text = given.partition("|")
        if not bar or not text.strip():
            raise UserError(f"--also-prompt {given[:60]}: write WAV|TEXT, the text that is said in it")
        audio = regular_file(user_path(path.strip(), "--also-prompt"), "--also-prompt").absolute()
        own.append(VoicePrompt(str(audio), text.strip(), audio))
    return own


def arms_of(request: Request, prompts: Sequence[VoicePrompt]) -> list[Arm]:
    """The request with each of the recordings. Raises UserError."""
    first, *others = prompts
    arms = [Arm(first.name, request)]
    for one in others:
        own = replace(
            request,
            prompt_audio=_recording(one.path),
            prompt_text=one.text,
            neutral_audio=neutral_audio(one),
        )
        arms.append(Arm(one.name, own))
    return arms


def inputs_of_arm(name: str) -> dict[str, str | None]:
    """Where the recording of the arm that won came from, for `replay`."""
    own = Path(name).is_absolute()
    return {"voice": None if own else name, "prompt_audio": name if own else None}


def _recording(path: Path) -> Waveform:
    try:
        return read_audio(path)
    except AudioError as error:
        raise UserError(str(error)) from error


def suggest_style(options: RequestOptions) -> str:
    """One line on a shipped recording of the chosen voice in the style that is asked for; "" without one."""
    found = None if options.voice_styles else in_style(options, options.emotion)
    if found is None:
        return ""
    has = f"the voice {found.voice} has a recording that is {found.style}"
    return f"{has}: try --voice {found.name}, or --voice-styles"


def in_style(options: RequestOptions, emotion: str | None) -> VoicePrompt | None:
    """The shipped recording of the chosen voice in the style of the emotion, by the label with the largest
    weight; None if there is none, or the chosen recording has the style already. Raises UserError for text
    that is no emotion."""
    voice = choose_voice(options)
    label = "" if emotion is None else Emotion.parse(emotion).label
    if voice is None or not label:
        return None
    return next((one for one in styles_of(voice) if one.style == meaning(label) != voice.style), None)
