"""Which texts of a list are still to be spoken: those without a record, or whose record no longer holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.files import file_hash
from experiments.runs.dataset import Row
from experiments.runs.records import Outcome, Records
from experiments.terminal import say
from llasa_core.errors import UserError

SHOWN = 3


def remaining_rows(records: Records, rows: Sequence[Row], *, retry_failed: bool) -> list[Row]:
    """The rows to do. A record is forgotten, with a note on stderr, if the text or its voice has changed,
    or if the audio is gone or has other content.
    """
    found = {row.id: records.outcomes.get(row.id) for row in rows}
    changed = [row for row in rows if (known := found[row.id]) and known.asked != row.asked]
    stale = {row.id for row in changed}
    lost = [
        row for row in rows if row.id not in stale and not _is_there(records.folder / row.file, found[row.id])
    ]
    for rows_to_redo, why in (
        (changed, "have changed in the list, or their voices have"),
        (lost, "were spoken before, and their audio is gone or is another one now"),
    ):
        if rows_to_redo:
            ids = ", ".join(repr(row.id) for row in rows_to_redo[:SHOWN])
            more = ", ..." if len(rows_to_redo) > SHOWN else ""
            say(f"note: {len(rows_to_redo)} texts {why}: spoken again ({ids}{more})", error=True)
        for row in rows_to_redo:
            records.forget(row.id)
    if gone := len(records.outcomes.keys() - found.keys()):
        say(f"note: {gone} texts of before are not asked for now: they do not count", error=True)
    skipped = ("done",) if retry_failed else ("done", "failed")
    return [row for row in rows if (now := records.outcomes.get(row.id)) is None or now.status not in skipped]


def _is_there(path: Path, outcome: Outcome | None) -> bool:
    """Whether the audio is what was recorded; also if there should be none."""
    if outcome is None or outcome.status != "done":
        return True
    try:
        return file_hash(path) == outcome.audio_sha256
    except UserError:
        return False
