"""The folder that a narration is spoken into: one writer, a log that only grows, and the audio beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments.documents import checked
from experiments.files import Closing, Log, file_hash, prepare_audio, write_whole
from experiments.narration.speaking.speech import Speech, flac_bytes
from experiments.narration.takes import AUDIO, TAKES, PlannedChunk, Take, read_takes
from llasa_core.audio import seconds
from llasa_core.errors import UserError


class SpokenFolder(Closing):
    """takes.jsonl, locked for this process until the block is left or the process ends, however it ends.

    takes: the last of each key. sessions: how many processes have spoken into the folder.

    Raises UserError if another process holds the folder, if it cannot be written, and for lines that are no
    takes of this version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.takes: dict[str, Take] = {}
        self.sessions = 0
        self._elapsed: dict[int, float] = {}
        self._forgotten: dict[str, Take] = {}
        self._log = Log(folder / TAKES)
        try:
            for take in read_takes(folder):
                self._note(take)
        except BaseException:
            self._log.close()
            raise

    @property
    def wall(self) -> float:
        """Seconds that processes have spoken."""
        return sum(self._elapsed.values())

    def keep(
        self,
        chunk: PlannedChunk,
        speech: Speech | None,
        *,
        best: bool,
        asked: Mapping[str, Any],
        name: str,
        values: Mapping[str, Any],
    ) -> Take:
        """One more line about a chunk, after the audio that it names is on the disk.

        speech: None for a line without another sound. best: whether this speech is the one to keep; else that
        of the last take stays. name: of the audio file, without its ending. values: those of `Take` that the
        speech does not say.

        Raises UserError if the disk is full; the folder is then as it was before.
        """
        before = self.takes.get(chunk.key)
        replaced = before or self._forgotten.get(chunk.key)
        line = {"schema": 1, "id": chunk.id, "key": chunk.key, "asked": dict(asked), **values}
        if speech is not None and best:
            line |= self._write(speech, f"{AUDIO}/{name}.flac")
        elif before is not None:
            kept = before.model_dump(mode="json", by_alias=True)
            line = {**kept, **{key: value for key, value in line.items() if key not in KEPT}}
        take = checked(Take, line, "the take")
        self._log.append({key: value for key, value in line.items() if key != "schema"})
        self._note(take)
        if replaced is not None and replaced.audio != take.audio:
            (self.folder / replaced.audio).unlink(missing_ok=True)
        return take

    def _write(self, speech: Speech, file: str) -> dict[str, Any]:
        content = flac_bytes(speech.waveform)
        write_whole(self.folder / file, content)
        return {
            "audio": file,
            "audio_sha256": hashlib.sha256(content).hexdigest(),
            "seconds": round(seconds(speech.waveform), 4),
            "passed": speech.passed,
            "doubts": [one.model_dump(mode="json") for one in speech.doubts],
            "heard": [one.model_dump(mode="json") for one in speech.heard],
            "measures": speech.measures.model_dump(mode="json"),
            "manifests": [dict(one) for one in speech.manifests],
            "joined": [round(one, 4) for one in speech.joined],
        }

    def forget(self, keys: Iterable[str]) -> None:
        """What was spoken of these chunks does not count any more. Its audio stays until the chunk has been
        spoken anew: whoever named a wrong voice stops, names the right one, and has lost nothing."""
        for key in keys:
            if (take := self.takes.pop(key, None)) is not None:
                self._forgotten[key] = take

    def lost(self, keys: Collection[str]) -> list[str]:
        """Those whose audio is gone, or is another one now."""
        return [key for key in keys if key in self.takes and not self._is_there(self.takes[key])]

    def prepare(self) -> None:
        """Makes the folder of the audio, and removes what a kill left: half-written files, and audio that no
        line of the log came to name."""
        named = {take.audio for take in (*self.takes.values(), *self._forgotten.values())}
        prepare_audio(
            self.folder / AUDIO, lambda path: path.suffix == ".flac" and f"{AUDIO}/{path.name}" not in named
        )

    def close(self) -> None:
        self._log.close()

    def _note(self, take: Take) -> None:
        self.takes[take.key] = take
        self._forgotten.pop(take.key, None)
        self.sessions = max(self.sessions, take.session)
        self._elapsed[take.session] = max(self._elapsed.get(take.session, 0.0), take.elapsed)

    def _is_there(self, take: Take) -> bool:
        try:
            return file_hash(self.folder / take.audio) == take.audio_sha256
        except UserError:
            return False


KEPT = frozenset(
    "audio audio_sha256 seconds passed doubts heard measures manifests joined seed text spoken".split()
)
"""Of a take: what belongs to its audio, and stays while the audio does."""
