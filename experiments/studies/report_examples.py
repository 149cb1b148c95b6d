"""The examples of a study's report: the worst winner, the median one, and those that the search improved
most, each beside the first candidate, which is what one sample without a search gives."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from experiments.report_page.audio import encode
from experiments.studies.analysis import Analysis
from experiments.studies.measures import WORDS, Measure, brief
from experiments.studies.table import parts
from llasa_core.audio import SAMPLE_RATE, Waveform, read_audio

if TYPE_CHECKING:
    import pandas

Decode: TypeAlias = Callable[[list[list[int]]], list[Waveform]]
"""Rows of speech codes -> waveforms, float32 [samples], mono 16 kHz."""
IMPROVED = 3
SUFFIXES = (".flac", ".wav", ".ogg")


@dataclass(frozen=True, slots=True)
class Clip:
    """One candidate. title: what it is. audio: base64 of Ogg/Vorbis, "" where there is none. values: of each
    measure, by title. heard: transcripts by who heard them."""

    title: str
    audio: str
    seconds: float
    values: dict[str, float]
    heard: dict[str, str]


@dataclass(frozen=True, slots=True)
class Example:
    """why: it is shown. clips: the winner, and the first candidate if that is another one."""

    why: str
    text: str
    language: str
    note: str
    clips: tuple[Clip, ...]


def examples(found: Analysis, folder: Path, decode: Decode | None) -> tuple[Measure, list[Example]]:
    """Of the widest best-of-N that was run, or of the first line: with the measure that they are chosen by,
    held-out word errors where all candidates have them."""
    line = found.base or found.lines[0]
    rows = found.frame[(found.frame["series"] == line.series) & (found.frame["subsampled"] == 0)]
    rows = rows[rows["n"] == rows["n"].max()]
    by = _chosen_by(found, rows)
    searches = [search for _, search in rows.groupby("search", sort=True)]
    firsts = [search[search["candidate"] == search["candidate"].min()] for search in searches]
    winners = [search[search["winner"]] for search in searches]
    before, after = (np.array([float(by.of(row)[0]) for row in side]) for side in (firsts, winners))
    gains = by.gain(before, after)
    badness = -after if by.higher else after
    order = np.argsort(badness, kind="stable")
    wanted = {int(order[-1]): "the worst winner", int(order[len(order) // 2]): "the median winner"}
    for place in np.argsort(-gains, kind="stable")[:IMPROVED]:
        if gains[place] > 0:
            wanted.setdefault(int(place), "among the most improved")
    sound = _Sound(folder, decode)
    made = []
    for place, why in wanted.items():
        first, winner = firsts[place].iloc[0], winners[place].iloc[0]
        clips = [sound.clip(f"the winner, the best of {len(searches[place])}", winner, found)]
        if first["candidate"] != winner["candidate"]:
            clips.append(sound.clip("the first candidate, as without a search", first, found))
        note = f"{line.name}, seed {winner['seed']}, voice {winner['voice'] or 'of the model'}"
        made.append(Example(why, str(winner["text"]), str(winner["language"]), note, tuple(clips)))
    return by, made


def _chosen_by(found: Analysis, rows: pandas.DataFrame) -> Measure:
    """The first that all candidates have: held-out words, words of the search, anything."""
    order = sorted(found.qualities, key=lambda one: (one.kind != WORDS, not one.held_out))
    return next((one for one in order if np.isfinite(one.of(rows)).all()), found.qualities[0])


@dataclass(frozen=True)
class _Sound:
    folder: Path
    decode: Decode | None

    def clip(self, title: str, row: pandas.Series[Any], found: Analysis) -> Clip:
        waveform = self._waveform(row)
        audio = base64.b64encode(encode(waveform)).decode() if waveform is not None else ""
        values = {one.title: float(row[one.column]) for one in found.qualities}
        heard = {
            "the search" if f"score:{name}" in row else brief(name): str(row[f"transcript:{name}"])
            for name in parts(found.frame, "transcript")
            if isinstance(row[f"transcript:{name}"], str)
        }
        seconds = len(waveform) / SAMPLE_RATE if waveform is not None else float(row["seconds"])
        kept = {title: value for title, value in values.items() if np.isfinite(value)}
        return Clip(title, audio, seconds, kept, heard)

    def _waveform(self, row: pandas.Series[Any]) -> Waveform | None:
        """The kept recording of a winner, else decoded from the codes, without the voice prompt before."""
        if row["winner"]:
            for suffix in SUFFIXES:
                path = self.folder / "audio" / f"{row['search']}{suffix}"
                if path.is_file():
                    return read_audio(path)
        codes = [int(code) for code in row["codes"]]
        return self.decode([codes])[0] if self.decode is not None and codes else None
