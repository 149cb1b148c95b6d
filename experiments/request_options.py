"""What a request has beside its text: voice, language, emotion and seed, for one text or a whole run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.terminal import say
from llasa_core.audio import AudioError, Waveform, read_audio
from llasa_core.emotion import Emotion, read_strength
from llasa_core.errors import UserError
from llasa_core.request import Request
from llasa_core.text.compare import compare
from llasa_core.text.letters import without_marks
from llasa_core.voices import VoicePrompt, find_voice, neutral_of
from search.roles import here

if TYPE_CHECKING:
    from search.engine import Searcher

MOST_MISHEARD = 0.5
"""Of the words of a prompt text, by acceptance."""
LEAST_VOICED = 0.3
"""Seconds of a recording of an emotion, without which it holds no speech. What is whispered has none."""
MOST_WORDS = 20
"""That are listed of those that a model was not trained on."""

_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|')*")


@dataclass(frozen=True)
class RequestOptions:
    """prompt_audio, prompt_text: the caller's voice. voice: the name of a shipped one. no_prompt: no voice.
    language: code of the text. as_written: numbers and signs are not read as words. emotion: as
    `llasa_core.emotion` writes it. emotion_audio: speech with the emotion. emotion_strength: a probability or
    "max", of labels that have none of their own. voice_styles: search all shipped recordings of the voice;
    also_prompts: further recordings of the caller's voice, each as `WAV|what is said in it`."""

    language: str = "en"
    prompt_audio: Path | None = None
    prompt_text: str | None = None
    voice: str | None = None
    no_prompt: bool = False
    emotion: str | None = None
    emotion_audio: Path | None = None
    emotion_strength: str | None = None
    voice_styles: bool = False
    also_prompts: Sequence[str] = ()
    seed: int = 0
    as_written: bool = False

    @property
    def searches_prompts(self) -> bool:
        """Whether several recordings of the voice are tried."""
        return self.voice_styles or bool(self.also_prompts)


def emotion_text(emotion: str | None, options: RequestOptions) -> str | None:
    """An emotion in its canonical form, with the strength of the options.

    Raises UserError, also for an emotion that has a strength of its own or cannot have one.
    """
    strength = options.emotion_strength
    if emotion is None:
        return None
    found = Emotion.parse(emotion)
    return str(found if strength is None else found.with_strength(read_strength(strength)))


def choose_voice(options: RequestOptions) -> VoicePrompt | None:
    """The voice to speak with: the caller's (which has no name), a shipped one, or none. Raises UserError."""
    audio, text = options.prompt_audio, options.prompt_text
    if options.no_prompt and (audio or text or options.voice):
        raise UserError("--no-prompt contradicts --prompt-audio, --prompt-text and --voice: leave it out")
    if options.voice and (audio or text):
        raise UserError("--voice is a shipped prompt: give either it or --prompt-audio with --prompt-text")
    if text and not audio:
        raise UserError("--prompt-text without --prompt-audio: add the audio in which it is said")
    if audio and not (text or "").strip():
        raise UserError("--prompt-audio without --prompt-text: add the text that is said in it")
    if audio:
        return VoicePrompt("", text or "", Path(audio))
    return None if options.no_prompt else find_voice(options.voice)


def inputs_of(options: RequestOptions) -> dict[str, str | None]:
    """Where the recordings of the request came from, for `replay`."""
    voice, emotion = choose_voice(options), options.emotion_audio
    return {
        "voice": voice.name if voice and voice.name else None,
        "prompt_audio": str(voice.path.absolute()) if voice and not voice.name else None,
        "emotion_audio": str(Path(emotion).absolute()) if emotion else None,
    }


def build_request(options: RequestOptions, text: str) -> Request:
    """The request with its voice: the caller's, a shipped one, or none. Raises UserError, also for a strength
    without an emotion."""
    if options.emotion is None and options.emotion_strength is not None:
        raise UserError("--emotion-strength without --emotion: add the emotion whose strength it is")
    voice = choose_voice(options)
    try:
        waveform = None if voice is None else read_audio(voice.path)
        emotion = None if options.emotion_audio is None else read_audio(options.emotion_audio)
    except AudioError as error:
        raise UserError(str(error)) from error
    return Request(
        text=text,
        language=options.language,
        prompt_audio=waveform,
        prompt_text="" if voice is None else voice.text,
        seed=options.seed,
        emotion=emotion_text(options.emotion, options),
        emotion_audio=emotion,
        as_written=options.as_written,
        neutral_audio=neutral_audio(voice),
    )


def neutral_audio(voice: VoicePrompt | None) -> Waveform | None:
    """float32 [samples], mono 16 kHz: how a shipped voice with a style sounds without it."""
    neutral = None if voice is None else neutral_of(voice)
    return None if neutral is None else read_audio(neutral.path)


def check_clip(request: Request) -> None:
    """Raises UserError for a recording of an emotion in which nothing is spoken, where the library is here
    that finds voiced speech."""
    if request.emotion_audio is None or not here("prosody"):
        return
    from verifiers.models.prosody_cues import measure

    if (voiced := measure(request.emotion_audio).voiced) < LEAST_VOICED:
        raise UserError(
            f"the emotion audio holds no speech ({voiced:.2f} s of it are voiced, and {LEAST_VOICED:g} s "
            "needed): give speech with the emotion"
        )


def build_common(options: RequestOptions) -> Request:
    """A request of one letter: what the options say for all rows of a list, of which some may have emotions
    of their own. Raises UserError."""
    own = options if options.emotion is not None else replace(options, emotion_strength=None)
    return build_request(own, "a")


def announce_spoken(request: Request) -> None:
    """One line on stderr on what is not spoken as it is written, in the text and in the prompt text."""
    readings = dict.fromkeys((*request.spoken.readings, *request.spoken_prompt.readings))
    told = [f"{one.written} as {one.spoken or 'nothing'}" for one in readings]
    if told:
        more = f" and {len(told) - MOST_WORDS} more" if len(told) > MOST_WORDS else ""
        say(f"spoken otherwise than written: {', '.join(told[:MOST_WORDS])}{more}", error=True)


def warn_of_prompts(searcher: Searcher, requests: Iterable[Request]) -> None:
    """A line on stderr for each voice prompt in which a verifier that transcribes does not hear its text."""
    seen: set[tuple[bytes, str]] = set()
    for request in requests:
        audio = request.prompt_audio
        if audio is None or (key := (audio.tobytes(), request.prompt_text)) in seen:
            continue
        seen.add(key)
        for spec, heard in searcher.backend.hear_prompt(request).items():
            if heard and compare(request.prompt_text, heard, request.language).rate > MOST_MISHEARD:
                say(
                    f"warning: {spec} hears {heard!r} in the prompt audio, not the prompt text "
                    f"{request.prompt_text!r}: give the words that are said in it",
                    error=True,
                )


def announce_untrained_words(generator: str | Path, texts: Iterable[str]) -> None:
    """One line on stderr if the generator lists the words of its training and the texts have others."""
    words = Path(generator) / "trained_words.txt"
    if not words.is_file():
        return
    trained = set(without_marks(words.read_text(encoding="utf-8").lower()).split())
    spoken = (word for text in texts for word in _WORD.findall(text.lower()))
    new = [word for word in dict.fromkeys(spoken) if without_marks(word) not in trained]
    if new:
        more = f" and {len(new) - MOST_WORDS} more" if len(new) > MOST_WORDS else ""
        line = f"not among the words that this model was trained on: {', '.join(new[:MOST_WORDS])}{more}"
        say(line, error=True)
