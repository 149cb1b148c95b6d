"""What passes: two ears that find no word wrong, and measurements that find nothing amiss.

The bounds were chosen on 32 utterances of the nano generator (16 sentences of
experiments/bench/sentences.txt) and on human speech (of the package moonshine-voice), before any chapter was
spoken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from experiments.config import with_source
from llasa_core.errors import UserError
from llasa_core.presets import Preset
from llasa_core.text import base_language
from llasa_core.voices import NEUTRAL
from search.emotion import SEARCHING
from search.roles import here, install, roles, weights
from verifiers import registry
from verifiers.selection.rules import Constraint
from verifiers.spec import Spec

MOST_PAUSE = 1.0
"""Seconds of silence within a chunk. Human speech had 0.68 at the most, nano's 0.24; the pauses between
sentences and paragraphs are made when the book's files are."""
MOST_AROUND = 0.7
"""Seconds of silence before and behind. nano's had 0.28 at the most."""
LEAST_RATE, MOST_RATE = 2.5, 7.5
"""Syllables a second. nano's had 2.9 to 5.7 (2nd and 98th percentile); read speech has 4 to 5."""
LEAST_DBFS, MOST_DBFS = -36.0, -12.0
"""Root mean square. nano's had -26 to -24; below, what is raised to a book's loudness has audible noise."""
MOST_LENGTH = 0.4
"""|log(seconds spoken / seconds predicted)|: two thirds to one and a half. nano's had 0.21 (95th percentile),
predictions are up to a quarter off."""
MOST_LOOP = 0.5
"""Seconds of speech tokens that repeat themselves. nano's had 0.18 at the most."""
LEAST_LIKE_PROMPT = 0.75
"""GE2E cosine with the voice prompt. nano's had 0.86 to 0.93, and 0.36 to 0.64 with the prompts of others."""
MOST_EXTRA = 0.4
"""Seconds of sound behind the end of the last word, as an ear that knows its times has it."""
SECOND = "wer-2"
"""The metric of the second ear."""
SPEAKER, NEUTRAL_SPEAKER = "ge2e", "ge2e-neutral"
"""What judges the voice, and its metric against the voice's neutral recording."""
EMOTION = "emo"
"""The metric of a named emotion."""
LEAST_VOICE = 1.6
"""Seconds that a voice is judged by. GE2E looks at parts of 1.6 s, and what is missing of one is silence to
it: a heading of 0.7 s in the right voice had 0.66."""

FAMILIES = {
    "whisper": "Whisper",
    "hubert-ctc": "HuBERT-CTC",
    "paraformer": "Paraformer",
    "sphinx": "HMM (pocketsphinx)",
}
"""By kind: how a recogniser works and what it was trained on. Errors of one family are alike."""
SECONDS_OF_FAMILY = {"en": ("sphinx", "whisper:base"), "zh": ("paraformer", "whisper:base")}
"""By language: second ears, the best first."""
OTHERS = ("whisper:base",)


@dataclass(frozen=True, slots=True)
class Ear:
    """spec: without the name of its metric."""

    spec: str
    metric: str
    family: str


@dataclass(frozen=True)
class Standard:
    """ears: two. pace: whose lengths are predicted. speaker: the metric of the voice, "" where it is not
    judged; in a book that names emotions the likeness to the voice's neutral recording, whatever the style of
    the prompt. emotion: the spec of what hears a named emotion, "" where no paragraph names one."""

    ears: tuple[Ear, ...]
    pace: str
    speaker: str
    emotion: str = ""

    @property
    def one_family(self) -> bool:
        """Whether both ears are of one family, which proves less."""
        return len({ear.family for ear in self.ears}) == 1

    @property
    def verifiers(self) -> tuple[str, ...]:
        """Specs of all that searches."""
        signal = (
            f"signal?max_pause={MOST_PAUSE}&max_leading={MOST_AROUND}&max_trailing={MOST_AROUND}"
            f"&min_rate={LEAST_RATE}&max_rate={MOST_RATE}&min_dbfs={LEAST_DBFS}&max_dbfs={MOST_DBFS}"
        )
        heard = tuple(named(ear.spec, ear.metric) for ear in self.ears)
        neutral = "&reference=neutral" if self.speaker == NEUTRAL_SPEAKER else ""
        voice = (f"{SPEAKER}?least={LEAST_VOICE}{neutral}",) if self.speaker else ()
        felt = (self.emotion,) if self.emotion else ()
        return (*heard, "artefacts", signal, f"length:{self.pace}", "loops", *voice, *felt)

    @cached_property
    def bounds(self) -> Mapping[str, Constraint]:
        """By metric, what the winner has to keep."""
        found = [Constraint(ear.metric, 0.0) for ear in self.ears]
        found += [Constraint("artefacts", 0.0), Constraint("signal", 0.0)]
        found += [Constraint("length", MOST_LENGTH), Constraint("loops", MOST_LOOP)]
        if self.speaker:
            found.append(Constraint(self.speaker, LEAST_LIKE_PROMPT, at_most=False))
        return {one.metric: one for one in found}

    @property
    def select(self) -> str:
        """Among those that keep all bounds the nearest to the emotion that a paragraph names; in a book that
        names none the likest to the prompt; without a voice, the likeliest words."""
        best = EMOTION if self.emotion else self.speaker or self.ears[0].metric
        return ",".join([*map(str, self.bounds.values()), best])

    def emotion_of(self, named: str | None) -> str | None:
        """What a paragraph should sound like: one that names no emotion is neutral in a book that names
        some."""
        return (named or NEUTRAL) if self.emotion else named


def standard_of(
    preset: Preset,
    language: str,
    ears: Sequence[str] = (),
    *,
    pace: str,
    voice: bool = True,
    emotion: bool = False,
) -> Standard:
    """The standard for a preset. ears: two specs; none: the preset's recogniser, and one of another family
    that is installed, or else of the same family. voice: whether there is a voice prompt. emotion: whether a
    paragraph names one.

    Raises UserError where there are no two ears, or the given ones are one.
    """
    chosen = tuple(ears) or _default_ears(preset, language)
    if len(chosen) != 2:
        raise UserError(f"{len(chosen)} ears: give two with --ears")
    for spec in chosen:
        registry.check(spec)
        if tuple(registry.needs(spec)) != ("text",):
            raise UserError(f"--ears: {spec} hears no words: give a recogniser, such as whisper:tiny.en")
    if weights(chosen[0]) == weights(chosen[1]):
        raise UserError(f"--ears: {chosen[0]} and {chosen[1]} are the same ear: give two")
    found = tuple(
        Ear(spec, metric, family(spec)) for spec, metric in zip(chosen, ("wer", SECOND), strict=True)
    )
    felt = with_source(SEARCHING["emotion"], preset) if emotion else ""
    speaker = NEUTRAL_SPEAKER if emotion else SPEAKER
    return Standard(found, pace, speaker if voice and here(SPEAKER) else "", felt)


def family(spec: str) -> str:
    """What the ears of a spec's kind are called; a kind of another package is a family of its own."""
    kind = Spec.parse(spec).kind
    return FAMILIES.get(kind, kind)


def named(spec: str, metric: str) -> str:
    """The spec with a name for what it measures."""
    parsed = Spec.parse(spec)
    source = parsed.source if ":" in spec.partition("?")[0] else ""
    return str(replace(parsed, source=source, options={**parsed.options, "name": metric}))


def _default_ears(preset: Preset, language: str) -> tuple[str, str]:
    hearing = [spec for spec in roles(preset.name).verifiers if tuple(registry.needs(spec)) == ("text",)]
    hearing = [spec for spec in hearing if Spec.parse(spec).kind in FAMILIES]
    if not hearing:
        raise UserError(f"the preset {preset.name} has no recogniser: give two with --ears")
    first = hearing[0]
    found = roles(preset.name)
    seconds = [*SECONDS_OF_FAMILY.get(base_language(language), OTHERS)]
    seconds += [spec for spec in found.judges if Spec.parse(spec).kind in FAMILIES]
    others = [spec for spec in seconds if weights(spec) != weights(first) and here(spec)]
    others.sort(key=lambda spec: family(spec) == family(first))
    if not others:
        raise UserError(
            f"narrate needs two ears, and beside {first} none is installed: {install(seconds[:1])}, "
            "or give two with --ears"
        )
    return first, others[0]
