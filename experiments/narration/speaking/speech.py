"""What one search of a chunk came to: its audio, what the ears heard, and what is amiss."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from experiments.interrupts import held
from experiments.narration.speaking.hearing import heard_by, never_heard, word_doubts
from experiments.narration.speaking.standard import MOST_EXTRA, Standard
from experiments.narration.takes import Doubt, Heard, Measures
from llasa_core.audio import SAMPLE_RATE, Waveform, loudness_dbfs, seconds
from search.cost.ledger import Ledger
from search.results.candidate import Candidate
from search.results.result import SearchResult
from verifiers.models.signal import FRAME, silent_frames

PART_PAUSE = 0.15
"""Seconds between the parts of a chunk that was spoken in two."""
FADE = 0.005
"""Seconds over which a part is faded where it meets another."""
SIGNAL_DOUBTS = {
    "max_clipped": ("signal", "The sound is clipped."),
    "max_dc": ("signal", "The sound has an offset."),
    "min_dbfs": ("loudness", "The speech is too quiet."),
    "max_dbfs": ("loudness", "The speech is too loud."),
    "max_silence": ("silence", "Too much of it is silence."),
    "max_pause": ("silence", "There is a long pause within it."),
    "max_leading": ("silence", "It begins with a long silence."),
    "max_trailing": ("silence", "It ends with a long silence."),
    "min_rate": ("pace", "It is spoken too slowly."),
    "max_rate": ("pace", "It is spoken too fast."),
}
"""By limit of the verifier `signal`: kind of the doubt, and what it says."""


@dataclass(frozen=True)
class Speech:
    """waveform: float32 [samples], mono 16 kHz. never: words of the text that no ear heard right in any of
    the candidates. joined: seconds at which parts meet."""

    waveform: Waveform
    doubts: tuple[Doubt, ...]
    heard: tuple[Heard, ...]
    measures: Measures
    candidates: int
    ledger: Ledger
    never: tuple[str, ...]
    manifests: tuple[Mapping[str, Any], ...]
    joined: tuple[float, ...] = field(default=())

    @property
    def passed(self) -> bool:
        return not self.doubts

    @property
    def rank(self) -> tuple[bool, int, int, float]:
        """The largest is the best: without a doubt, the fewest wrong words, the fewest doubts, the likest."""
        errors = sum(one.errors if one.usable else one.words for one in self.heard)
        return self.passed, -errors, -len(self.doubts), self.measures.similarity or 0.0


def speech_of(result: SearchResult, standard: Standard, inputs: Mapping[str, Any]) -> Speech:
    """The winner of a search. inputs: where its recordings are, for `replay`."""
    winner = result.winner
    heard = tuple(heard_by(winner.scores[ear.metric], ear.spec, ear.family) for ear in standard.ears)
    return Speech(
        waveform=winner.waveform,
        doubts=tuple(_doubts(winner, heard, standard)),
        heard=heard,
        measures=_measures(winner, standard),
        candidates=len(result.candidates),
        ledger=result.ledger,
        never=never_heard(result.candidates, [ear.metric for ear in standard.ears]),
        manifests=({**result.as_dict()["manifest"], "inputs": dict(inputs)},),
    )


def joined(parts: Sequence[Speech]) -> Speech:
    """Parts, spoken one by one, with a short silence between them."""
    silence = np.zeros(round(PART_PAUSE * SAMPLE_RATE), np.float32)
    pieces: list[Waveform] = []
    begins: list[float] = []
    for number, part in enumerate(parts):
        if number:
            pieces.append(silence)
        begins.append(sum(map(len, pieces)) / SAMPLE_RATE)
        pieces.append(_faded(part.waveform, first=number > 0, last=number < len(parts) - 1))
    waveform = np.concatenate(pieces)
    ledger = Ledger()
    for part in parts:
        ledger.add(part.ledger)
    pairs = list(zip(parts, begins, strict=True))
    return Speech(
        waveform=waveform,
        doubts=tuple(_later(doubt, begin) for part, begin in pairs for doubt in part.doubts),
        heard=tuple(
            _one_ear([(part.heard[ear], begin) for part, begin in pairs])
            for ear in range(len(parts[0].heard))
        ),
        measures=_together(parts, waveform),
        candidates=sum(part.candidates for part in parts),
        ledger=ledger,
        never=tuple(dict.fromkeys(word for part in parts for word in part.never)),
        manifests=tuple(one for part in parts for one in part.manifests),
        joined=tuple(begins[1:]),
    )


def flac_bytes(waveform: Waveform) -> bytes:
    """[samples] as a FLAC file, 16 bits, mono 16 kHz; the same bytes for the same samples."""
    import soundfile

    file = io.BytesIO()
    with held():  # libsndfile's callbacks into Python would swallow a Ctrl-C
        soundfile.write(file, waveform, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _doubts(winner: Candidate, heard: Sequence[Heard], standard: Standard) -> Iterable[Doubt]:
    for one in heard:
        yield from word_doubts(one)
    if winner.cut_off:
        yield Doubt(kind="cut-off", says="It breaks off: the model had not ended it.")
    for kind, says, at in winner.scores["artefacts"].evidence.get("found", ()):
        yield Doubt(kind=kind, says=says, at=at)
    for name in winner.scores["signal"].evidence.get("failed", ()):
        kind, says = SIGNAL_DOUBTS[name]
        yield Doubt.model_validate({"kind": kind, "says": says})
    for name, kind, says in (
        ("length", "pace", "It takes much longer, or much less long, than its words do."),
        ("loops", "loop", "A stretch of it is said again."),
        (standard.speaker, "voice", "The voice is not like that of the prompt."),
    ):
        bound = standard.bounds.get(name)
        score = winner.scores.get(name)
        if bound is None or score is None or score.short or bound.violation(score.value) <= 0:
            continue
        at = score.evidence.get("starts_seconds")
        yield Doubt.model_validate({"kind": kind, "says": f"{says[:-1]} ({score.value:.2f}).", "at": at})
    for ear in standard.ears:
        if (extra := _extra(winner, ear.metric)) is not None:
            yield Doubt(kind="extra", says="There is a sound behind the last word.", ear=ear.spec, at=extra)


def _extra(winner: Candidate, metric: str) -> float | None:
    """Where a sound begins that lies so far behind the last word that it is none of its own; None without.
    Only an ear that knows when it heard its words can tell."""
    times = winner.scores[metric].evidence.get("heard_at")
    if not times:
        return None
    sounds = np.flatnonzero(~silent_frames(winner.waveform))
    last = float(times[-1][2])
    behind = [frame for frame in sounds if frame * FRAME / SAMPLE_RATE > last]
    if len(behind) * FRAME / SAMPLE_RATE <= MOST_EXTRA:
        return None
    return round(float(behind[0]) * FRAME / SAMPLE_RATE, 2)


def _measures(winner: Candidate, standard: Standard) -> Measures:
    signal, length = winner.scores["signal"].evidence, winner.scores["length"].evidence
    voice = winner.scores.get(standard.speaker)
    usable = voice is not None and voice.usable
    embedding = voice.evidence.get("embedding", ()) if voice is not None and usable else ()
    spoken, predicted = length.get("seconds"), length.get("predicted_seconds")
    return Measures(
        pace=signal.get("syllables_per_second"),
        dbfs=round(loudness_dbfs(winner.waveform), 2),
        peak=_peak(winner.waveform),
        length_ratio=round(spoken / predicted, 3) if spoken and predicted else None,
        similarity=round(voice.value, 4) if voice is not None and usable else None,
        speaker_ear=standard.speaker if voice is not None else "",
        embedding=[round(float(value), 5) for value in embedding],
    )


def _peak(waveform: Waveform) -> float:
    largest = float(np.abs(waveform).max(initial=0.0))
    return round(20 * float(np.log10(max(largest, 1e-5))), 2)


def _faded(waveform: Waveform, *, first: bool, last: bool) -> Waveform:
    """first, last: whether its begin and its end meet a silence."""
    found = waveform.copy()
    length = min(round(FADE * SAMPLE_RATE), len(found))
    ramp = np.linspace(0, 1, length, dtype=np.float32)
    if first:
        found[:length] *= ramp
    if last:
        found[len(found) - length :] *= ramp[::-1]
    return found


def _later(doubt: Doubt, begin: float) -> Doubt:
    return doubt if doubt.at is None else doubt.model_copy(update={"at": round(doubt.at + begin, 2)})


def _one_ear(parts: Sequence[tuple[Heard, float]]) -> Heard:
    heard = [one for one, _ in parts]
    return Heard(
        ear=heard[0].ear,
        family=heard[0].family,
        transcript=" ".join(filter(None, (one.transcript.strip() for one in heard))),
        errors=sum(one.errors for one in heard),
        words=sum(one.words for one in heard),
        alignment=[word for one in heard for word in one.alignment],
        usable=all(one.usable for one in heard),
        reason=next((one.reason for one in heard if one.reason), ""),
    )


def _together(parts: Sequence[Speech], waveform: Waveform) -> Measures:
    """Means by length of what is measured for each part."""
    weights = [seconds(part.waveform) for part in parts]

    def mean(values: Sequence[float | None]) -> float | None:
        known = [(value, weight) for value, weight in zip(values, weights, strict=True) if value is not None]
        total = sum(weight for _, weight in known)
        return round(sum(value * weight for value, weight in known) / total, 4) if total else None

    found = [part.measures for part in parts]
    vectors = [np.asarray(one.embedding) * weight for one, weight in zip(found, weights, strict=True)]
    embedding: list[float] = []
    if all(len(vector) for vector in vectors):
        total = np.sum(vectors, axis=0)
        embedding = [round(float(value), 5) for value in total / max(float(np.linalg.norm(total)), 1e-9)]
    return Measures(
        pace=mean([one.pace for one in found]),
        dbfs=round(loudness_dbfs(waveform), 2),
        peak=_peak(waveform),
        length_ratio=mean([one.length_ratio for one in found]),
        similarity=mean([one.similarity for one in found]),
        speaker_ear=found[0].speaker_ear,
        embedding=embedding,
    )
