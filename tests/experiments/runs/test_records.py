"""Records are appended whole or not at all, whatever happens; one process writes at a time."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.files import write_whole
from experiments.interrupts import guarded, held
from experiments.runs.records import Records, read_records
from llasa_core.errors import UserError

NO_RECORDINGS = dict.fromkeys(("voice", "prompt_sha256", "emotion", "emotion_sha256"))
ASKED = {"text": "a", "language": "en", "seed": 0, "prompt_text": "", **NO_RECORDINGS}
DONE: dict[str, Any] = {
    "audio": "audio/a.wav",
    "audio_sha256": "0",
    "seconds": 1.5,
    "scores": {"wer": {"value": 0.5, "usable": True, "reason": "", "evidence": {"words": 2, "heard": "a"}}},
    "judged": {},
    "satisfied": True,
    "stopped": "",
    "cut_off": False,
    "tokens": 75,
    "candidates": 2,
    "warnings": [],
    "ledger": {"tokens_generated": 150, "wall": {}},
    "waveform_sha256": "0",
    "manifest": {},
}


def record(
    id: str, status: str = "done", session: int = 1, elapsed: float = 1.0, **more: Any
) -> dict[str, Any]:
    """As `run` writes it."""
    common = {"id": id, "status": status, "text": "a", "asked": ASKED, "session": session, "elapsed": elapsed}
    return {**common, **(DONE if status == "done" else {"error": "no room"}), **more}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond it: as on a full disk, a part of a line is still taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    with Records(tmp_path / "new/run") as records:
        records.append(record("a", text="\u6587\u2028"))
        records.append(record("b", "failed", elapsed=2.5))
    with Records(tmp_path / "new/run") as records:
        assert statuses(records) == {"a": "done", "b": "failed"}
        assert (records.wall, records.sessions) == (2.5, 1)
        records.append(record("b", session=2, elapsed=4.0))
        assert statuses(records)["b"] == "done"
        assert (records.wall, records.sessions) == (6.5, 2)
    found = list(read_records(tmp_path / "new/run"))
    assert [entry["id"] for entry in found] == ["a", "b", "b"]
    assert found[0]["text"] == "\u6587\u2028"
    assert os.stat(tmp_path / "new/run/records.jsonl").st_mode & 0o777 == 0o666 & ~umask()


def statuses(records: Records) -> dict[str, str]:
    return {id: outcome.status for id, outcome in records.outcomes.items()}


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=1, max_size=5, unique=True), st.data())
def test_any_start_of_the_file_can_be_gone_on_with(
    tmp_path: Path, ids: list[str], data: st.DataObject
) -> None:
    """A kill leaves some first bytes of what was to be written."""
    folder = tmp_path / "run"
    entries = [record(id, text=id * 3) for id in ids]
    (folder / "records.jsonl").unlink(missing_ok=True)
    with Records(folder) as records:
        for entry in entries:
            records.append(entry)
    whole = (folder / "records.jsonl").read_bytes()
    kept = whole[: data.draw(st.integers(0, len(whole)))]
    (folder / "records.jsonl").write_bytes(kept)
    assert [entry["id"] for entry in read_records(folder)] == ids[: kept.count(b"\n")]
    with Records(folder) as records:
        assert list(records.outcomes) == ids[: kept.count(b"\n")]
        for entry in entries:
            if entry["id"] not in records.outcomes:
                records.append(entry)
    assert (folder / "records.jsonl").read_bytes() == whole


def test_a_torn_line_is_cut_off_and_damage_before_it_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with Records(tmp_path) as records:
        records.append(record("a"))
    line = path.read_text()
    for tail in ("\0" * 64, "{", '{"schema": 1, ', '{"schema": 1, "id": "b"', line.removesuffix("\n")):
        path.write_text(line + tail)
        with Records(tmp_path) as records:
            assert statuses(records) == {"a": "done"}
        assert path.read_text() == line
        path.write_text(line + tail + "garbage\n" + line)
        with pytest.raises(UserError, match=r"line 2 of .*records\.jsonl"):
            Records(tmp_path)
        assert path.read_text() == line + tail + "garbage\n" + line


@pytest.mark.parametrize(
    "content", ["my notes", '{"id": "mine"}', '{"id": "mine"}\n', "[]", "[]\n", '{"schema": 2}\n', "\n"]
)
def test_a_file_that_is_not_ours_is_neither_cut_nor_used(tmp_path: Path, content: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(content)
    with pytest.raises(UserError, match=r"records\.jsonl") as caught:
        Records(tmp_path)
    assert "\n" not in str(caught.value)
    assert path.read_text() == content


def test_what_a_kill_left_half_written_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    foreign = (".run.json.ab12.part", "audio/.a.wav.cd34.part", "audio/b.wav", "notes.part", ".part")
    for name in (".llasa-search-ab12cd_4.part", "audio/.llasa-search-zzzzzzzz.part", *foreign):
        (tmp_path / name).touch()
    with Records(tmp_path) as records:
        records.prepare()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*foreign, "records.jsonl"}


@pytest.mark.processes
def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    program = "import sys, time\nfrom pathlib import Path\nfrom experiments.runs.records import Records\n" + (
        "Records(Path(sys.argv[1]))\nprint('held', flush=True)\ntime.sleep(60)\n"
    ).replace("Records(Path", "held = Records(Path")
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None and first.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match="another process is writing to"):
            Records(tmp_path)
        first.send_signal(signal.SIGKILL)
        first.wait()
        Records(tmp_path).close()


def test_a_second_writer_in_this_process_is_refused_too(tmp_path: Path) -> None:
    with Records(tmp_path), pytest.raises(UserError, match="another process"):
        Records(tmp_path)
    Records(tmp_path).close()


def test_a_line_that_finds_no_room_leaves_no_trace(tmp_path: Path) -> None:
    with Records(tmp_path) as records:
        records.append(record("a"))
        before = (tmp_path / "records.jsonl").read_bytes()
        for room in (1, len(before), len(before) + 1, len(before) + 50):
            with largest_file(room), pytest.raises(UserError, match=r"cannot write .*make room.*--resume"):
                records.append(record("b", text="long" * 40))
            assert (tmp_path / "records.jsonl").read_bytes() == before
            assert statuses(records) == {"a": "done"}
        records.append(record("b"))
    assert [entry["id"] for entry in read_records(tmp_path)] == ["a", "b"]


def test_a_file_that_finds_no_room_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_whole(path, b"before")
    with largest_file(100), pytest.raises(UserError, match=r"cannot write .*a\.wav"):
        write_whole(path, b"x" * 1000)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()


def test_folders_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="choose another folder"):
        Records(tmp_path / "file")
    with pytest.raises(UserError, match=r"holds no records\.jsonl"):
        list(read_records(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.processes
def test_an_interrupt_waits_for_what_has_to_be_whole(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    done = []
    with pytest.raises(KeyboardInterrupt), guarded():
        with held():
            os.kill(os.getpid(), number)
            done.append("whole")
        done.append("never")
    assert done == ["whole"]
    with pytest.raises(KeyboardInterrupt), guarded():
        os.kill(os.getpid(), number)
        done.append("never")
    assert done == ["whole"]
    assert signal.getsignal(number) is before
