"""What a user asks for."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from llasa_core.audio import (
    SAMPLE_RATE,
    Waveform,
    clipped_share,
    is_silent,
    loudness_dbfs,
    seconds,
    silence_around,
)
from llasa_core.emotion import Emotion
from llasa_core.errors import UserError
from llasa_core.text import SpokenText, as_written, check_markers, check_text, language, spoken_form

MIN_PROMPT_SECONDS = 1.0
MAX_PROMPT_SECONDS = 15.0
MIN_EMOTION_SECONDS = 0.5
MAX_EMOTION_SECONDS = 30.0
MAX_SEED = 2**63 - 1
CLIPPED_WARNING = 0.001
QUIET_WARNING_DBFS = -45.0
MOST_SILENCE = 0.3
"""Seconds at either end of a voice prompt; a model goes on with a longer silence instead of speaking."""
KEPT_SILENCE = 0.15
"""Seconds that are left of a longer one."""


@dataclass(frozen=True, eq=False)
class Request:
    """One text to speak, optionally with a voice prompt (audio and what is said in it) and an emotion.

    prompt_audio: float32 [samples], mono 16 kHz. emotion: as `llasa_core.emotion` writes it ("happy",
    "happy@0.7", "happy=0.6,surprised=0.4", "arousal=0.8"), kept in its canonical form. emotion_audio: speech
    with that emotion in any voice, float32 [samples], mono 16 kHz; emotion verifiers compare with it.
    neutral_audio: neutral speech of the prompt's speaker, where the prompt itself has a style, float32
    [samples], mono 16 kHz; verifiers alone use it. seed and id decide the randomness; nothing else does.
    as_written: numbers, signs and abbreviations of both texts go to the model as they are, not as words.

    Raises UserError for anything that cannot be spoken. The texts are kept with normalised white space, the
    language in its one spelling (`en-GB`), and the prompt audio with at most 0.3 s of silence at either end.
    """

    text: str
    language: str = "en"
    prompt_audio: Waveform | None = None
    prompt_text: str = ""
    seed: int = 0
    id: str = "0"
    emotion: str | None = None
    emotion_audio: Waveform | None = None
    as_written: bool = False
    neutral_audio: Waveform | None = None
    _silence_cut: tuple[float, float] = field(default=(0.0, 0.0), init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", check_text(self.text))
        object.__setattr__(self, "language", language(self.language))
        check_markers(self.spoken.spoken)
        if not any(character.isalnum() for character in self.spoken.spoken):
            raise UserError(f"nothing in the text {self.text[:40]!r} can be spoken: give words to speak")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed <= MAX_SEED:
            raise UserError(f"the seed {self.seed!r} is not a whole number from 0 to 2^63 - 1: give one")
        if self.emotion is not None:
            object.__setattr__(self, "emotion", str(Emotion.parse(self.emotion)))
        if self.emotion_audio is not None:
            bounds = (MIN_EMOTION_SECONDS, MAX_EMOTION_SECONDS)
            checked = _check_audio("emotion", self.emotion_audio, *bounds, "speech with the emotion")
            object.__setattr__(self, "emotion_audio", checked)
        if self.neutral_audio is not None:
            bounds = (MIN_PROMPT_SECONDS, MAX_PROMPT_SECONDS)
            checked = _check_audio("neutral", self.neutral_audio, *bounds, "neutral speech of the voice")
            object.__setattr__(self, "neutral_audio", checked)
        if self.prompt_audio is None:
            if self.prompt_text.strip():
                raise UserError("there is a prompt text but no prompt audio: give both or neither")
            object.__setattr__(self, "prompt_text", "")
            return
        if not self.prompt_text.strip():
            raise UserError("there is prompt audio but no prompt text: give what is said in the prompt audio")
        try:
            object.__setattr__(self, "prompt_text", check_text(self.prompt_text))
            check_markers(self.spoken_prompt.spoken)
        except UserError as error:
            raise UserError(f"prompt text: {error}") from None
        bounds = (MIN_PROMPT_SECONDS, MAX_PROMPT_SECONDS)
        checked = _check_audio("prompt", self.prompt_audio, *bounds, "a recording of the voice")
        before, after = (_surplus(one) for one in silence_around(checked))
        object.__setattr__(self, "_silence_cut", (before, after))
        if before or after:
            checked = checked[round(before * SAMPLE_RATE) : len(checked) - round(after * SAMPLE_RATE)]
            checked = _check_audio("prompt", checked, *bounds, "a recording of the voice")
        object.__setattr__(self, "prompt_audio", checked)

    @cached_property
    def wanted(self) -> Emotion | None:
        """What `emotion` says."""
        return None if self.emotion is None else Emotion.parse(self.emotion)

    @cached_property
    def spoken(self) -> SpokenText:
        """The text as it is spoken and as errors are counted against, with what was changed for it."""
        return as_written(self.text) if self.as_written else spoken_form(self.text, self.language)

    @cached_property
    def spoken_prompt(self) -> SpokenText:
        """The same of the prompt text, which is taken to be in the same language."""
        return (
            as_written(self.prompt_text) if self.as_written else spoken_form(self.prompt_text, self.language)
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may spoil the result though it can be spoken: a voice prompt that is clipped, very quiet, or
        has silence around, which is left out."""
        if self.prompt_audio is None:
            return ()
        found = []
        for cut, place in zip(self._silence_cut, ("beginning", "end"), strict=True):
            if cut:
                found.append(f"{cut:.2f} s of silence at the {place} of the prompt audio are left out")
        if (share := clipped_share(self.prompt_audio)) > CLIPPED_WARNING:
            found.append(f"{share:.1%} of the prompt audio is clipped: record it with less gain")
        if (level := loudness_dbfs(self.prompt_audio)) < QUIET_WARNING_DBFS:
            found.append(f"the prompt audio is quiet ({level:.0f} dBFS): record it louder")
        return tuple(found)


def _surplus(silence: float) -> float:
    """Seconds to cut of a silence at an end."""
    return silence - KEPT_SILENCE if silence > MOST_SILENCE else 0.0


def _check_audio(role: str, waveform: Waveform, shortest: float, longest: float, wanted: str) -> Waveform:
    """A read-only float32 copy. Raises UserError for audio that cannot serve as that; lengths in seconds."""
    if not isinstance(waveform, np.ndarray) or waveform.ndim != 1:
        raise UserError(f"the {role} audio has to be a one-dimensional array at 16 kHz: use read_audio")
    if not np.issubdtype(waveform.dtype, np.floating):
        raise UserError(f"the {role} audio is {waveform.dtype}, not float32 in -1..1: use read_audio")
    duration = seconds(waveform)
    if duration < shortest:
        raise UserError(f"the {role} audio lasts {duration:.2f} s: give {shortest:g} to {longest:g} s")
    if duration > longest:
        raise UserError(f"the {role} audio lasts {duration:.1f} s: cut it to {longest:g} s at most")
    if not np.isfinite(waveform).all():
        raise UserError(f"the {role} audio holds samples that are not numbers: export it again")
    if is_silent(waveform):
        raise UserError(f"the {role} audio is silent: give {wanted}")
    owned = waveform.astype(np.float32)
    owned.setflags(write=False)
    return owned
