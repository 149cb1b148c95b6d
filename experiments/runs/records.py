"""The folder of a run: what became of each text, in a log that only grows, and the files beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from experiments.documents import Schema, checked
from experiments.files import Closing, Log, prepare_audio, read_log, write_whole
from llasa_core.errors import UserError
from llasa_core.paths import shown
from llasa_core.text import language

NAME = "records.jsonl"
AUDIO = "audio"
Count = Annotated[int, Field(ge=0, le=2**53)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]


class Asked(Schema):
    """As `Row.asked`."""

    text: str
    language: str
    seed: int
    voice: str | None
    prompt_text: str
    prompt_sha256: str | None
    emotion: str | None
    emotion_sha256: str | None
    as_written: bool = False


class Evidence(Schema):
    """What the table counts of a recogniser's evidence, of which there is more."""

    model_config = ConfigDict(extra="allow")
    words: Count = 0
    substitutions: Count = 0
    deletions: Count = 0
    insertions: Count = 0


class Score(Schema):
    value: float | None
    usable: bool
    reason: str
    short: bool = False
    evidence: Evidence


class LeakLine(Schema):
    """As `search.results.leak.Line`."""

    role: str
    by: str
    higher_is_better: bool
    winner: float
    mean: float
    spread: float
    candidates: Count
    gain: float


class Leak(Schema):
    """As `search.results.leak.Leak`."""

    lines: list[LeakLine]
    sentence: str


class TriedArm(Schema):
    """As `search.results.result.TriedArm`."""

    name: str
    candidates: Count
    scores: dict[str, float | None]


class Ledger(Schema):
    """What the table counts of a ledger, in which there is more."""

    model_config = ConfigDict(extra="allow")
    tokens_generated: Count


class Record(Schema):
    """What every record holds: elapsed is seconds since its process, the session, began to speak."""

    version: Literal[1] = Field(alias="schema")
    id: str
    text: str
    asked: Asked
    session: Count
    elapsed: Seconds


class Done(Record):
    """A text that was spoken. audio: the file, relative to the folder; the hash is of its content.

    ends, missed_emotion, leak, arm, arms: as those of `SearchResult`; records of before have none.
    """

    status: Literal["done"]
    audio: str
    audio_sha256: str
    seconds: Seconds
    scores: dict[str, Score]
    judged: dict[str, Score]
    satisfied: bool
    stopped: str
    cut_off: bool
    ends: list[str] | None = None
    missed_emotion: str = ""
    leak: Leak | None = None
    arm: str = ""
    arms: list[TriedArm] = Field(default_factory=list)
    stepped_back: list[str] = Field(default_factory=list)
    tokens: Count
    candidates: Count
    warnings: list[str]
    ledger: Ledger
    waveform_sha256: str
    manifest: dict[str, Any]


class Failed(Record):
    """A text that could not be spoken, and why."""

    status: Literal["failed"]
    error: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the last record of an id says. audio, audio_sha256: "" if it failed."""

    status: str
    asked: Mapping[str, Any]
    audio: str
    audio_sha256: str


class Records(Closing):
    """records.jsonl, locked for this process until the block is left or the process ends, however it ends.

    Opening makes the folder, and reads what became of each id: `outcomes`. `wall` is the seconds that earlier
    processes worked, `sessions` how many there were.

    Raises UserError if another process holds the folder, if it cannot be written, and for lines that are no
    records of this version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outcomes: dict[str, Outcome] = {}
        self._elapsed: dict[int, float] = {}
        self._log = Log(folder / NAME)
        try:
            for record in read_records(folder):
                self._note(record)
        except BaseException:
            self._log.close()
            raise

    @property
    def wall(self) -> float:
        return sum(self._elapsed.values())

    @property
    def sessions(self) -> int:
        return max(self._elapsed, default=0)

    def append(self, record: Mapping[str, Any]) -> None:
        """One more record, on the disk when this returns.

        Raises UserError if that fails; the file is then as it was before.
        """
        _check({"schema": 1, **record}, "the record")
        self._log.append(record)
        self._note(record)

    def forget(self, id: str) -> None:
        """What became of the id does not count any more."""
        del self.outcomes[id]

    def counted(self, ids: Collection[str]) -> Iterator[dict[str, Any]]:
        """The records of these ids, but for those that are forgotten."""
        return (
            record
            for record in read_records(self.folder)
            if record["id"] in self.outcomes and record["id"] in ids
        )

    def write_audio(self, file: str, content: bytes) -> str:
        """Writes a file of the folder; the SHA-256 of its content. Raises UserError."""
        write_whole(self.folder / file, content)
        return hashlib.sha256(content).hexdigest()

    def prepare(self) -> None:
        """Makes the folder of the audio, and removes what a kill left half written. Raises UserError."""
        prepare_audio(self.folder / AUDIO)

    def close(self) -> None:
        self._log.close()

    def _note(self, record: Mapping[str, Any]) -> None:
        asked = {**record["asked"], "language": _one_spelling(record["asked"]["language"])}
        self.outcomes[record["id"]] = Outcome(
            record["status"], asked, record.get("audio", ""), record.get("audio_sha256", "")
        )
        session = record["session"]
        self._elapsed[session] = max(self._elapsed.get(session, 0.0), record["elapsed"])


def read_records(folder: Path) -> Iterator[dict[str, Any]]:
    """Every record, in the order in which they were written; of an id that has several the last one counts.

    Raises UserError if there are none to read, and for a line that is no record of this version.
    """
    path = folder / NAME
    if not path.exists():
        raise UserError(f"{shown(folder)} holds no {NAME}: give the folder of a run")
    for place, found in read_log(path, "the records"):
        _check(found, place)
        yield found


def _one_spelling(code: str) -> str:
    """Version 0.1 recorded language codes as they were given."""
    try:
        return language(code)
    except UserError:
        return code


def _check(found: Mapping[str, Any], place: str) -> None:
    """Raises UserError for what is no record."""
    checked(Failed if found.get("status") == "failed" else Done, found, place)
