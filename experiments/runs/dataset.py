"""Files of many texts: what each row asks for, checked before any model is loaded."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from experiments.files import file_hash
from experiments.request_options import RequestOptions, choose_voice, emotion_text, neutral_audio
from experiments.runs.tables import COLUMNS, Cells, ColumnMapping, Table
from experiments.terminal import say
from llasa_core.audio import AudioError, Waveform, read_audio
from llasa_core.errors import UserError
from llasa_core.loading import context_tokens
from llasa_core.paths import regular_file, shown, user_path
from llasa_core.prompt import MIN_ROOM
from llasa_core.request import (
    MAX_EMOTION_SECONDS,
    MAX_PROMPT_SECONDS,
    MIN_EMOTION_SECONDS,
    MIN_PROMPT_SECONDS,
    Request,
)
from llasa_core.text import check_text, spoken_form
from llasa_core.voices import VoicePrompt, find_voice
from search.preflight import SURE, check_prompt, check_readable, predicted_seconds

SHOWN = 10
"""Of problems, and of columns that are not used, so many are named."""
OVERHEAD = MIN_ROOM + 50 * round(MAX_PROMPT_SECONDS) + 200
"""Tokens for the least speech, the longest voice prompt, and the words of the chat template."""
NAMED = ColumnMapping()
MAX_NAME_BYTES = 200
"""Of a file's name, which has to leave room for what is put around it while it is written."""
_UNSAFE = re.compile(r"^\.|[^\w.\- ]")


@dataclass(frozen=True, slots=True)
class Row:
    """One text to speak. where: `line 3 of list.csv`. voice: the name of the prompt, if it is a shipped one.

    Recordings are decoded when the request is made; the hashes are of their files when the list was read.
    """

    where: str
    id: str
    text: str
    language: str
    seed: int
    prompt_audio: Path | None = None
    prompt_text: str = ""
    voice: str | None = None
    emotion: str | None = None
    emotion_audio: Path | None = None
    prompt_sha256: str | None = None
    emotion_sha256: str | None = None
    as_written: bool = False

    @property
    def asked(self) -> dict[str, Any]:
        """All that decides what is spoken, but for the settings of the run."""
        return {
            "text": self.text,
            "language": self.language,
            "seed": self.seed,
            "voice": self.voice,
            "prompt_text": self.prompt_text,
            "prompt_sha256": self.prompt_sha256,
            "emotion": self.emotion,
            "emotion_sha256": self.emotion_sha256,
            **({"as_written": True} if self.as_written else {}),
        }

    @property
    def file(self) -> str:
        """Where its speech goes, relative to the folder of the run."""
        return f"audio/{file_name(self.id)}.wav"

    @property
    def inputs(self) -> dict[str, str | None]:
        """Where its recordings are, for `replay`."""
        prompt, emotion = self.prompt_audio, self.emotion_audio
        return {
            "voice": self.voice,
            "prompt_audio": None if prompt is None or self.voice else str(prompt.absolute()),
            "emotion_audio": None if emotion is None else str(emotion.absolute()),
        }

    def request(self) -> Request:
        """Reads the recordings. Raises UserError or AudioError if they are not what they should be."""
        return Request(
            text=self.text,
            language=self.language,
            prompt_audio=_recording(self.prompt_audio),
            prompt_text=self.prompt_text,
            seed=self.seed,
            id=self.id,
            emotion=self.emotion,
            emotion_audio=_recording(self.emotion_audio),
            as_written=self.as_written,
            neutral_audio=neutral_audio(find_voice(self.voice)) if self.voice else None,
        )

    @property
    def prompt(self) -> VoicePrompt | None:
        """The voice that it is spoken with."""
        if self.voice is not None:
            return find_voice(self.voice)
        return None if self.prompt_audio is None else VoicePrompt("", self.prompt_text, self.prompt_audio)

    @property
    def text_alone(self) -> Request:
        """The request without its recordings, for what is asked of the text."""
        return Request(self.text, self.language, as_written=self.as_written)


def read_rows(
    path: Path, options: RequestOptions, limit: int | None = None, columns: ColumnMapping = NAMED
) -> list[Row]:
    """The first `limit` rows of the list; what a row does not say is as the options of the command say.

    Columns that are not used and lines without anything to say are named on stderr. Raises UserError that
    names the rows which cannot be spoken. Recordings are looked at, but not decoded.
    """
    if limit is not None and limit < 1:
        raise UserError(f"--limit {limit}: give at least 1")
    table = Table(path, columns)
    rows = check_rows(islice(table.rows(), limit), table.folder, options)
    if not rows:
        raise UserError(f"{shown(path)} holds no texts: give at least one")
    _tell_what_is_passed_over(table)
    return rows


def check_rows(
    entries: Iterable[tuple[str, Cells | UserError]], folder: Path, options: RequestOptions
) -> list[Row]:
    """As `read_rows`, of places and cells that were read; paths are relative to `folder`."""
    voice = choose_voice(options)
    rows: list[Row] = []
    problems: list[str] = []
    places: dict[str, str] = {}
    looked_at: set[tuple[str, Path]] = set()
    for number, (where, cells) in enumerate(entries, start=1):
        if isinstance(cells, UserError):
            problems.append(str(cells))
            continue
        try:
            row = _row(where, number, cells, folder, voice, options)
            if row.id in places:
                raise UserError(f"the id {row.id!r} is that of {places[row.id]} too: give each its own")
            look_at_recordings(row, looked_at)
            row = _with_hashes(row)
        except (UserError, AudioError) as error:
            problems.append(f"{where}: {error}")
            continue
        places[row.id] = where
        rows.append(row)
    refuse(problems)
    return rows


def check_texts(rows: Sequence[Row], generator: str, max_seconds: float, what: str = "rows") -> None:
    """Raises UserError that names the rows whose text the model cannot read, or takes longer than
    `max_seconds` or than text and voice prompt leave of the context."""
    problems: list[str] = []
    surely_fits = context_tokens(generator) - OVERHEAD
    for row in rows:
        # No tokenizer makes more tokens of a text than the text has bytes.
        request = row.text_alone
        words = spoken_form(f"{request.spoken.spoken} {row.prompt_text}", row.language).spoken
        seconds = predicted_seconds(generator, request)
        try:
            check_readable(generator, request)
            if len(words.encode()) + 50 * seconds <= surely_fits and seconds <= SURE * max_seconds:
                continue
            check_prompt(generator, row.request(), max_seconds)
        except (UserError, AudioError) as error:
            problems.append(f"{row.where}: {error}")
        if len(problems) > SHOWN:
            break
    refuse(problems, what)


def refuse(problems: Sequence[str], what: str = "rows") -> None:
    """Raises one UserError for all problems, if there are any."""
    if not problems:
        return
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    count = f"{len(problems)} {what} cannot be spoken: " if len(problems) > 1 else ""
    raise UserError(f"{count}{'; '.join(problems[:SHOWN])}{more}")


def _tell_what_is_passed_over(table: Table) -> None:
    if table.unused:
        near = {name: get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.7) for name in table.unused}
        named = [
            f"{name!r} (did you mean {found[0]!r}?)" if found and found[0] != name.lower() else repr(name)
            for name, found in near.items()
        ]
        more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
        say(f"note: columns that are not used: {', '.join(named[:SHOWN])}{more}", error=True)
    if table.silent:
        count = len(table.silent)
        say(f"note: {count} lines without a letter or digit are left out: {table.silent[0]}", error=True)


def file_name(id: str) -> str:
    """An id as the name of a file: characters that could lead elsewhere become %2F and the like.

    >>> file_name("book/../7")
    'book%2F..%2F7'
    """
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), id)


def _row(
    where: str,
    number: int,
    cells: Cells,
    folder: Path,
    voice: VoicePrompt | None,
    options: RequestOptions,
) -> Row:
    found = {name: _cell(name, value) for name, value in cells.items()}
    id = found.get("id") or f"{number:06d}"
    if len(file_name(id).encode()) > MAX_NAME_BYTES:
        raise UserError(f"the id {id[:40]}... is too long for the name of a file: shorten it")
    checked = Request(
        text=found.get("text") or "",
        language=found.get("language") or options.language,
        seed=options.seed if found.get("seed") is None else _seed(found["seed"]),
        id=id,
        emotion=emotion_text(found.get("emotion") or options.emotion, options),
        as_written=options.as_written,
    )
    emotion_audio = found.get("emotion_audio")
    prompt = _prompt(found, folder, voice, options.no_prompt)
    return Row(
        where,
        id,
        checked.text,
        checked.language,
        checked.seed,
        None if prompt is None else prompt.path,
        "" if prompt is None else check_text(prompt.text),
        None if prompt is None else prompt.name or None,
        checked.emotion,
        _audio_file(folder, emotion_audio, "emotion") if emotion_audio else options.emotion_audio,
        as_written=options.as_written,
    )


def _prompt(
    found: Mapping[str, str | None], folder: Path, default: VoicePrompt | None, none: bool
) -> VoicePrompt | None:
    """The voice of a row: its own recording, the shipped one that it names, or that of the command."""
    audio, text, name = (found.get(column) for column in ("prompt_audio", "prompt_text", "voice"))
    if none and (audio or text or name):
        raise UserError("--no-prompt contradicts the row's voice: leave one out")
    if name and (audio or text):
        raise UserError("voice names a shipped prompt: give either it or prompt_audio with prompt_text")
    if name:
        return find_voice(name)
    if audio and text:
        return VoicePrompt("", text, _audio_file(folder, audio, "prompt"))
    if audio:
        raise UserError("prompt_audio without prompt_text: add the text that is said in it")
    if text:
        raise UserError("prompt_text without prompt_audio: add the audio in which it is said")
    return default


def _audio_file(folder: Path, path: str, role: str) -> Path:
    return regular_file(folder / user_path(path, f"{role} audio"), f"{role} audio")


def _cell(name: str, value: Any) -> str | None:
    """As text; None for an empty cell. Numbers are ids and seeds only."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer() and name == "seed":
        value = int(value)  # a column of whole numbers with gaps is one of floats
    if isinstance(value, int) and not isinstance(value, bool) and name in ("id", "seed"):
        value = str(value)
    if not isinstance(value, str):
        raise UserError(f"{name} is {repr(value)[:60]}: give text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UserError(f"{name} holds half of a character: write the file as UTF-8 again") from None
    return value.strip() or None


def _seed(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text.lstrip("0")) < 20):
        raise UserError(f"the seed {str(text)[:30]!r} is not a whole number from 0 to 2^63 - 1: give one")
    return int(text)


def look_at_recordings(row: Row, looked_at: set[tuple[str, Path]]) -> None:
    """Looks at the header of each recording once. One that is no audio, too short or too long is decoded: the
    request then refuses it in its usual words."""
    import soundfile

    for role, path, shortest, longest in (
        ("prompt", row.prompt_audio, MIN_PROMPT_SECONDS, MAX_PROMPT_SECONDS),
        ("emotion", row.emotion_audio, MIN_EMOTION_SECONDS, MAX_EMOTION_SECONDS),
    ):
        if path is None or (role, path) in looked_at:
            continue
        looked_at.add((role, path))
        try:
            found = soundfile.info(path)
            fits = shortest <= found.frames / found.samplerate <= longest
        except (OSError, RuntimeError, ZeroDivisionError):
            fits = False
        if not fits:
            row.request()


def _with_hashes(row: Row) -> Row:
    prompt, emotion = row.prompt_audio, row.emotion_audio
    return replace(
        row,
        prompt_sha256=None if prompt is None else file_hash(prompt),
        emotion_sha256=None if emotion is None else file_hash(emotion),
    )


def _recording(path: Path | None) -> Waveform | None:
    if path is None:
        return None
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=16)
def _read(path: Path, changed: int) -> Waveform:
    """Rows that share a recording mostly stand together."""
    return read_audio(path)
