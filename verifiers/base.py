"""What verifiers share: the target, the score, and the Protocol that every verifier keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from llasa_core.audio import Waveform

Codes: TypeAlias = Sequence[int]
"""Speech codes, 50 a second."""
TOKENS = "tokens"
"""In `Verifier.needs` and `About.needs`: a `TokenVerifier`, which judges the speech tokens of a candidate in
place of its audio. All other needs are fields of `Target`."""


@dataclass(frozen=True, eq=False, slots=True)
class Target:
    """What the speech should be.

    text: the words that are to be spoken, as spoken (digits spelled out), without those of a voice prompt.
    language: its code, such as "en" or "en-GB" (`llasa_core.text.language`).
    reference: float32 [samples], mono 16 kHz: the voice that it should be spoken with.
    resynthesis: the same recording as the codec says it again, float32 [samples]: what "SIM-r" compares with.
    emotion: the name of the emotion it should have, such as "happy"; of a mix the heaviest.
    strength: the wanted probability of `emotion`; None: as likely as possible.
    mix: the wanted share of several emotions by name, 1 together at most; what is left of 1 is neutral.
    emotion_reference: float32 [samples], mono 16 kHz: speech with that emotion, in any voice.
    written: the text before numbers and signs were spelled out, from which all right readings are known.
    dimensions: where the emotion is wanted on the axes "arousal", "dominance" and "valence", of which some
        may be left out; each from 0 to 1 (`verifiers.shared.emotions`).
    neutral: float32 [samples], mono 16 kHz: neutral speech of the reference's speaker, where the reference
        itself has a style.
    """

    text: str | None = None
    language: str = "en"
    reference: Waveform | None = None
    resynthesis: Waveform | None = None
    emotion: str | None = None
    emotion_reference: Waveform | None = None
    written: str | None = None
    strength: float | None = None
    mix: Mapping[str, float] | None = None
    dimensions: Mapping[str, float] | None = None
    neutral: Waveform | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One candidate's score.

    value: in the unit of the verifier (a share of words for "wer", a cosine for "sim").
    evidence: plain JSON values that say why: transcript and alignment, seconds, log-likelihoods.
        `evidence["logp"]`, where there is one, is a finer measure of the same thing (higher is better) and
        breaks ties.
    usable: False if the audio could not be judged (silent, too short, not finite). Then `reason` says why and
        `value` is the worst that a verifier gives to speech.
    short: True if the only reason is that the audio is shorter than this metric needs. The metric then says
        nothing about the candidate and a selection leaves it to the others; audio that is unusable for any
        other reason, or too short to hold words, comes last.
    dropped: the metric by which a cascade left the candidate out before this verifier was asked
        (`verifiers.selection.cascade`); "" if it was asked.
    """

    value: float
    evidence: Mapping[str, Any] = field(default_factory=dict)
    usable: bool = True
    reason: str = ""
    short: bool = False
    dropped: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What `llasa-search verifiers` says of a kind.

    measures: what its score means, in a few words. needs: the fields of `Target` that it judges against, and
    `TOKENS`.
    released: specs of released weights, and the licence of each (of third parties' weights: confirm it on the
    model card). min_seconds: the shortest audio that it judges. extra: the extra of this package that brings
    the libraries `modules`, if the core does not.
    """

    measures: str
    needs: tuple[str, ...] = ()
    released: Mapping[str, str] = field(default_factory=dict)
    min_seconds: float = 0.1
    extra: str = ""
    modules: tuple[str, ...] = ()


class Verifier(Protocol):
    """Judges audio against a target. Safe to call from several threads; calls are carried out one by one."""

    @property
    def name(self) -> str:
        """The metric, as selections name it: "wer", "sim"."""
        ...

    @property
    def spec(self) -> str:
        """The canonical string that `verifiers.load` builds this verifier from again."""
        ...

    @property
    def higher_is_better(self) -> bool: ...

    @property
    def min_seconds(self) -> float:
        """The shortest audio that can be judged; anything shorter gets an unusable score."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """The fields of `Target` that it judges against, and `TOKENS` if it judges speech tokens."""
        ...

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        """One score for each candidate, in their order; each as if it were alone.

        candidates: float32 [samples], mono 16 kHz, of any lengths.
        partial: the candidates break off somewhere in the text (beams that are still growing).

        Bad audio never raises: it gets an unusable score. Raises VerifierError if the *target* cannot be
        judged against (no text, no reference, a language that the model does not know), also for no
        candidates at all, so that `score([], target)` checks a target at once.
        """
        ...


class Likelihood(Protocol):
    """What the generator that speaks a request finds of speech codes, behind the prompt of that request."""

    def __call__(
        self, candidates: Sequence[Codes], *, with_text: bool = True, partial: bool = False
    ) -> list[NDArray[np.float32]]:
        """log p(code | voice, text, the codes before it), at temperature 1 among all codes and the end:
        float32 [codes] for each candidate, by teacher forcing.

        with_text: False leaves out the text, and that of the voice prompt; the codes of the voice prompt
        stay. partial: the candidates will probably be asked for again when they have grown.
        """
        ...


class TokenVerifier(Verifier, Protocol):
    """Judges the speech tokens that a search has generated. It has `TOKENS` among its needs; its `score` only
    checks a target, and raises VerifierError for audio."""

    def score_tokens(
        self, candidates: Sequence[Codes], target: Target, likelihood: Likelihood, partial: bool = False
    ) -> list[Score]:
        """As `score`, of codes. likelihood: of the request that the candidates belong to."""
        ...


class Wrapper:
    """A verifier around another one: what it does not define itself is that of the other."""

    name: str
    spec: str
    higher_is_better: bool
    min_seconds: float
    needs: tuple[str, ...]

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier

    def __getattr__(self, name: str) -> Any:
        if name == "verifier":  # not set yet, as in a copy that is being made
            raise AttributeError(name)
        return getattr(self.verifier, name)
