"""`run` from end to end: tiny random models of the real classes, and the shipped ones where it matters."""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from experiments.cli import main as cli
from experiments.runs.records import Records
from experiments.runs.view import RunView
from llasa_core.audio import Waveform, read_audio, write_audio
from llasa_core.voices import shipped_voices
from search.engine import Searcher
from tests.experiments.runs.test_records import record as record_of
from tests.plain_verifiers import Level
from verifiers import registry

TEXTS = ["one", "two birds", "a third", "and four", "five", "the sixth"]
VARIES = ("seconds_encoded", "wall_seconds", "flops")
"""Of a ledger: who encodes a voice that several use is chance, and so are times."""
BY_ACTOR = ("tokens_prefilled", "tokens_reprefilled", "beams_moved", "seconds_decoded")
"""And this is how many actors a text was spread over."""


class Brittle(Level):
    def score(self, candidates, target, partial=False):  # type: ignore[no-untyped-def]
        if candidates and target.text == "two birds":
            raise RuntimeError("out of order")
        return super().score(candidates, target, partial)


def records(folder: Path) -> dict[str, dict[str, Any]]:
    lines = (folder / "records.jsonl").read_text("utf-8").splitlines()
    return {record["id"]: record for record in map(json.loads, lines)}


def lasting(folder: Path, *, alone: bool = True) -> dict[str, dict[str, Any]]:
    """What of the records does not depend on when and where they were made. alone: not by several actors,
    each of which runs a prompt once."""
    found = records(folder)
    for record in found.values():
        for name in VARIES if alone else (*VARIES, *BY_ACTOR):
            record.get("ledger", {}).pop(name, None)
        for name in ("session", "elapsed"):
            del record[name]
    return found


def no_model(*_: object, **__: object) -> None:
    raise AssertionError("a model is loaded for a run that is refused")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spoken"


@pytest.fixture
def run(
    tmp_path: Path, folder: Path, tiny_generator: Path, tiny_codec: Path, voice_file: Path, plain_kinds: None
) -> Callable[..., int]:
    """Runs the texts with tiny models into `folder`."""
    source = tmp_path / "in.jsonl"
    rows = [{"id": f"u{k}", "text": text} for k, text in enumerate(TEXTS)]
    source.write_text("\n".join(map(json.dumps, rows)) + "\n")
    given = [
        *("--generator", str(tiny_generator), "--codec", str(tiny_codec), "--max-seconds", "1"),
        *("--prompt-audio", str(voice_file), "--prompt-text", "a buzz"),
        *("--verifier", "crossings", "--verifier", "level", "--judge", "crossings:held-out"),
    ]

    def call(*arguments: str, source: Path = source, out: Path = folder) -> int:
        return cli.main(["run", str(source), "-o", str(out), "-n", "2", *given, *arguments])

    return call


def test_every_text_is_spoken_and_accounted_for(
    run: Callable[..., int], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    shown = capsys.readouterr()
    assert shown.err.splitlines()[0] == "6 texts: 6 to do, loading the models"
    assert "6/6 done, 12 candidates" in shown.err
    assert "6 of 6 texts done, 0 failed" in shown.out and "judge crossings:held-out" in shown.out
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {f"audio/u{k}.wav" for k in range(6)} | {"records.jsonl", "run.json", "table.csv"}
    found = records(folder)
    assert {id: record["text"] for id, record in found.items()} == {f"u{k}": t for k, t in enumerate(TEXTS)}
    for record in found.values():
        waveform = read_audio(folder / record["audio"])
        assert len(waveform) == 320 * record["tokens"] == round(16_000 * record["seconds"])
        assert record["status"] == "done" and record["candidates"] == 2
        assert set(record["scores"]) == {"wer", "sim"} and set(record["judged"]) == {"crossings:held-out"}
        assert record["ledger"]["tokens_generated"] >= record["tokens"]
        assert record["manifest"]["request"]["id"] == record["id"]
    table = pandas.read_csv(folder / "table.csv").set_index("measure")
    values = [record["scores"]["sim"]["value"] for record in found.values()]
    assert table.loc["sim", "n"] == 6
    assert table.loc["sim", "mean"] == pytest.approx(np.mean(values), abs=1e-6)
    assert table.loc["sim", "low"] <= table.loc["sim", "mean"] <= table.loc["sim", "high"]
    assert table.loc["tokens", "total"] == sum(r["ledger"]["tokens_generated"] for r in found.values())
    assert table.loc["audio seconds", "total"] == pytest.approx(sum(r["seconds"] for r in found.values()))
    asked = json.loads((folder / "run.json").read_text())
    source = folder.parent / "in.jsonl"
    assert asked["input"]["texts"] == 6 and asked["input"]["file"] == str(source)
    assert asked["strategy"]["n"] == 2 and asked["versions"]["torch"]
    assert len(asked["options"]["prompt_audio"]) == 64


def test_a_folder_that_holds_a_run_is_not_written_over(
    run: Callable[..., int], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--limit", "2") == 0
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    capsys.readouterr()

    monkeypatch.setattr(Searcher, "load", no_model)
    with pytest.raises(AssertionError, match="a model is loaded"):
        run(out=folder.parent / "elsewhere")  # the guard is in the way of whatever loads
    capsys.readouterr()
    for arguments, says in (
        ((), "holds 2 texts of an earlier run: go on with --resume"),
        (("--resume", "--seed", "1"), "options.seed was 0 and is 1"),
        (
            ("--resume", "--top-p", "0.5", "-n", "3"),
            "strategy.n was 2 and is 3; models.sampling.top_p was 0.95",
        ),
        (("--resume", "--budget", "tokens=99"), "budget.tokens was null and is 99"),
        (("--resume", "--no-judge"), "contradicts"),
        (("--retry-failed",), "add --resume"),
        (("--in-flight", "0"), "--in-flight 0: give a whole number of at least 1"),
    ):
        assert run(*arguments) == 2
        shown = capsys.readouterr()
        assert says in shown.err and shown.err.count("\n") == 1 and shown.out == ""
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    # what is all done needs no model either
    assert run("--resume", "--limit", "2") == 0
    assert "2 texts: 2 done and 0 failed before, 0 to do" in capsys.readouterr().err


def test_a_prompt_search_is_kept_gone_on_with_and_replayed(
    run: Callable[..., int], folder: Path, voice: Waveform, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record names the recording that won, and the result is replayed with it alone."""
    other = folder.parent / "quiet.wav"
    write_audio(other, (voice * np.float32(0.1)).astype(np.float32))
    styles = ("--also-prompt", f"{other}|a buzz", "--select", "sim", "--limit", "2")
    assert run(*styles) == 0
    first = records(folder)["u0"]
    names = {arm["name"] for arm in first["arms"]}
    assert first["arm"] in names and len(names) == 2 and str(other) in names
    assert run(*styles, "--resume") == 0
    assert "cannot go on: options.also_prompts" in _refused(run, capsys, "--select", "sim", "--resume")
    again = folder.parent / "again.wav"
    assert cli.main(["replay", str(folder), "--id", "u0", "--trust", "-o", str(again)]) == 0
    assert "the same, sample for sample" in capsys.readouterr().out
    assert again.read_bytes() == (folder / first["audio"]).read_bytes()
    for arguments, says in (
        (("--also-prompt", "x.wav"), "write WAV|TEXT"),
        (("--also-prompt", "no.wav|a buzz"), "does not exist"),
        (("--voice-styles",), "has recordings in one style alone"),
    ):
        assert says in _refused(run, capsys, *arguments, out=folder.parent / "bad")


def _refused(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], *arguments: str, **more: Path
) -> str:
    capsys.readouterr()
    assert run(*arguments, **more) == 2
    return re_line(capsys)


def test_bad_input_is_refused_before_anything_is_made(
    run: Callable[..., int], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Searcher, "load", no_model)
    bad = folder.parent / "bad.csv"
    for text, says in (
        ("text\nfine\n...\n", "line 3 of"),
        ("text,emotion\nfine,happy\n", "no verifier judges by it"),
    ):
        bad.write_text(text)
        assert run(source=bad) == 2
        shown = capsys.readouterr()
        assert says in shown.err and shown.err.count("\n") == 1 and shown.out == ""
    mood = ("--verifier", "mood", "--select", "emo")
    bad.write_text("text,emotion\nfine,happy\nnot so,\n")
    assert run(*mood, source=bad) == 2
    assert re_line(capsys) == f"error: line 3 of {bad}: mood judges the emotion: give --emotion LABEL"
    bad.write_text("text,emotion\nfine,\nok,happy\nnot so,\n")
    assert run(*mood, source=bad) == 2
    says = "mood judges the emotion: give --emotion LABEL"
    expected = f"error: 2 rows cannot be spoken: line 2 of {bad}: {says}; line 4 of {bad}: {says}"
    assert re_line(capsys) == expected
    (folder.parent / "file").touch()
    assert run(out=folder.parent / "file") == 2
    assert not folder.exists()


def re_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip()


def test_a_text_that_fails_ends_no_other_and_can_be_tried_again(
    run: Callable[..., int],
    folder: Path,
    voice: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One that a verifier breaks on, and one whose recording is silent."""
    monkeypatch.setitem(registry.BUILT_IN, "brittle", "tests.experiments.runs.test_run:Brittle")
    write_audio(folder.parent / "silent.wav", 0 * voice)
    rows: list[dict[str, Any]] = [{"id": f"u{k}", "text": text} for k, text in enumerate(TEXTS)]
    rows[4] |= {"prompt_audio": "silent.wav", "prompt_text": "nothing"}
    source = folder.parent / "poisoned.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    brittle = ("--judge", "brittle")
    assert run(*brittle, "--in-flight", "2", source=source) == 1
    shown = capsys.readouterr().out
    assert "4 of 6 texts done, 2 failed" in shown and "--resume --retry-failed" in shown
    found = records(folder)
    assert {id for id, record in found.items() if record["status"] == "done"} == {"u0", "u2", "u3", "u5"}
    assert found["u1"]["error"] == "RuntimeError: out of order" and "Traceback" in found["u1"]["traceback"]
    assert "silent" in found["u4"]["error"] and "traceback" not in found["u4"]
    assert all(f"failed: {id}: {found[id]['error']}" in shown for id in ("u1", "u4"))
    assert not (folder / "audio/u1.wav").exists()
    assert cli.main(["replay", str(folder), "--id", "u1"]) == 2
    assert "u1 failed in the run" in capsys.readouterr().err

    before = (folder / "records.jsonl").read_bytes()
    assert run(*brittle, "--resume", source=source) == 1
    assert (folder / "records.jsonl").read_bytes() == before
    assert "4 done and 2 failed before, 0 to do" in capsys.readouterr().err
    assert pandas.read_csv(folder / "table.csv").set_index("measure").loc["failed", "total"] == 2
    monkeypatch.setattr(Brittle, "score", Level.score)
    assert run(*brittle, "--resume", "--retry-failed", source=source) == 1
    shown = capsys.readouterr()
    assert "2 to do" in shown.err and "5 of 6 texts done, 1 failed" in shown.out
    assert [id for id, record in records(folder).items() if record["status"] == "failed"] == ["u4"]
    write_audio(folder.parent / "silent.wav", voice)
    assert run(*brittle, "--resume", source=source) == 0  # another recording is another row
    shown = capsys.readouterr()
    assert "1 texts have changed" in shown.err and "6 of 6 texts done, 0 failed" in shown.out
    assert (folder / "records.jsonl").read_bytes().startswith(before)
    assert pandas.read_csv(folder / "table.csv").set_index("measure").loc["failed", "total"] == 0


def test_a_list_that_has_changed_is_gone_on_with(
    run: Callable[..., int], folder: Path, voice_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Texts that are as they were are kept; changed, moved, added and dropped ones are told apart."""
    own = folder.parent / "own.wav"
    own.write_bytes(voice_file.read_bytes())
    spoken_so = {"prompt_audio": "own.wav", "prompt_text": "a buzz"}
    rows: list[dict[str, Any]] = [{"id": f"u{k}", "text": text, **spoken_so} for k, text in enumerate(TEXTS)]
    source = folder.parent / "mine.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    assert run(source=source) == 0
    before = (folder / "records.jsonl").read_bytes()
    first = records(folder)
    changed = [
        rows[5],
        rows[0],
        rows[1] | {"text": "two words"},
        rows[2] | {"seed": 9},
        {"id": "new", "text": "new"},
    ]
    source.write_text("\n".join(map(json.dumps, changed)))
    capsys.readouterr()
    assert run("--resume", source=source) == 0
    shown = capsys.readouterr()
    assert "2 texts have changed in the list, or their voices have: spoken again ('u1', 'u2')" in shown.err
    assert "2 texts of before are not asked for now" in shown.err and "3 to do" in shown.err
    assert "5 of 5 texts done, 0 failed" in shown.out
    assert (folder / "records.jsonl").read_bytes().startswith(before)
    now = records(folder)
    assert [id for id in first if now[id] != first[id]] == ["u1", "u2"]
    assert now["u1"]["text"] == "two words" and now["u2"]["manifest"]["request"]["seed"] == 9
    table = pandas.read_csv(folder / "table.csv").set_index("measure")
    assert table.loc["utterances", "total"] == 5 and table.loc["sim", "n"] == 5
    assert run(source=source, out=folder.parent / "at once") == 0
    assert lasting(folder.parent / "at once") == {
        k: v for k, v in lasting(folder).items() if k not in ("u3", "u4")
    }

    write_audio(own, read_audio(own) * 0.5)
    capsys.readouterr()
    assert run("--resume", source=source) == 0
    assert "4 texts have changed" in capsys.readouterr().err
    assert records(folder)["u5"]["asked"]["prompt_sha256"] != first["u5"]["asked"]["prompt_sha256"]


def test_audio_that_is_gone_or_changed_is_spoken_again(
    run: Callable[..., int], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    whole = {path: path.read_bytes() for path in (folder / "audio").iterdir()}
    (folder / "audio/u1.wav").unlink()
    (folder / "audio/u2.wav").write_bytes(b"")
    (folder / "audio/u3.wav").write_bytes(whole[folder / "audio/u4.wav"])
    capsys.readouterr()
    assert run("--resume") == 0
    shown = capsys.readouterr()
    assert "3 texts were spoken before, and their audio is gone or is another one now" in shown.err
    assert "('u1', 'u2', 'u3')" in shown.err and "3 to do" in shown.err
    assert "6 of 6 texts done" in shown.out
    assert whole == {path: path.read_bytes() for path in (folder / "audio").iterdir()}


def test_files_that_are_not_of_a_run_stay_as_they_are(
    run: Callable[..., int],
    folder: Path,
    voice_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the user has in the folder, and what the command reads."""
    monkeypatch.setattr(Searcher, "load", no_model)
    for number, name in enumerate(("table.csv", "run.json", "audio/u3.wav", "records.jsonl", "actors.jsonl")):
        out = folder / str(number)
        (out / name).parent.mkdir(parents=True)
        (out / name).write_text("mine")
        assert run(out=out) == 2
        shown = capsys.readouterr()
        assert name in shown.err and shown.err.count("\n") == 1 and (out / name).read_text() == "mine"
    here = folder / "here"
    (here / "audio").mkdir(parents=True)
    (here / "table.csv").write_text("text\none\n")
    (here / "audio/000001.wav").write_bytes(voice_file.read_bytes())
    row = {"text": "one", "prompt_audio": "audio/000001.wav", "prompt_text": "a buzz"}
    (here / "in.jsonl").write_text(json.dumps(row))
    recording = ("--prompt-audio", str(here / "audio/000001.wav"))
    for arguments, source, says in (
        ((), here / "table.csv", "table.csv would write over INPUT"),
        (recording, here / "table.csv", "would write over"),
        ((), here / "in.jsonl", "audio/000001.wav would write over the recording of line 1 of"),
    ):
        before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
        assert run(*arguments, source=source, out=here) == 2
        shown = capsys.readouterr()
        assert says in shown.err and shown.err.count("\n") == 1
        assert before == {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["records.jsonl", "run.json"])
@pytest.mark.parametrize("content", ["{}", "[]", '{"schema": 2}', "[" * 100_000, "9" * 5000, "\ufeff", "\0"])
def test_records_and_descriptions_that_are_none_are_refused(
    run: Callable[..., int],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str,
) -> None:
    """test_records and test_documents have the values of keys; this is what the user sees."""
    with Records(folder) as kept:
        kept.append(record_of("u0"))
    path = folder / name
    path.write_text(f"{content}\n")
    monkeypatch.setattr(Searcher, "load", no_model)
    assert run("--resume", "--limit", "2") == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and shown.err.count("\n") == 1 and shown.out == ""
    assert name in shown.err and len(shown.err) < 500
    assert path.read_text() == f"{content}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_finished(
    run: Callable[..., int],
    folder: Path,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    finished = RunView.finished

    def interrupting(self: RunView, result: Any) -> None:
        finished(self, result)
        if self.done == 2:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(RunView, "finished", interrupting)
        assert run("--in-flight", "2") == 128 + number
    shown = capsys.readouterr().out
    assert "2 of 6 texts done, 0 failed" in shown and "the same command with --resume goes on" in shown
    before = (folder / "records.jsonl").read_bytes()
    assert before.count(b"\n") == 2 and len(list((folder / "audio").iterdir())) == 2
    assert run("--resume") == 0
    assert (folder / "records.jsonl").read_bytes().startswith(before)
    assert run(out=folder.parent / "at once") == 0
    assert lasting(folder) == lasting(folder.parent / "at once")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_ends_the_run_and_loses_nothing(
    run: Callable[..., int],
    folder: Path,
    small_disk: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    out = small_disk / "spoken"
    assert run("--in-flight", "2", out=out) == 2
    shown = capsys.readouterr().err
    assert "Traceback" not in shown and not caplog.records  # work that is given up is no error
    error = shown.strip().splitlines()[-1]
    assert error.startswith(f"error: cannot write {out}") and "No space left" in error and "--resume" in error
    before = (out / "records.jsonl").read_bytes()
    done = records(out)
    assert 0 < len(done) < 6 and before.endswith(b"\n")
    assert not [path for path in out.rglob("*") if path.name.endswith(".part")]
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert run("--resume", out=out) == 0
    assert (out / "records.jsonl").read_bytes().startswith(before)
    assert run() == 0
    assert lasting(out) == lasting(folder)


def test_a_recipe_holds_for_all_texts(run: Callable[..., int], folder: Path) -> None:
    recipe = folder.parent / "mine.yaml"
    recipe.write_text("strategy: {name: beam, beams: 2, n: 2, step: 10, prm: sim}\nselect: sim\n")
    assert run("--recipe", str(recipe), "--limit", "1") == 0
    assert records(folder)["u0"]["manifest"]["strategy"]["name"] == "beam"
    recipe.write_text("limit: 3\n")
    assert run("--recipe", str(recipe)) == 2


@pytest.mark.models
def test_a_result_depends_on_no_other_text_and_is_made_again_from_its_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the shipped models: the order of the rows and how many are in flight change nothing."""
    voices = shipped_voices()
    rows = [
        {"id": f"set/{k}", "text": text, "voice": voices[k % 3].name, "seed": k % 2}
        for k, text in enumerate(["one bird", "the old wall", "a red ship"])
    ]
    rows[2] = {"id": "set/2", "text": "a red ship", "prompt_audio": "v.wav", "prompt_text": voices[2].text}
    (tmp_path / "v.wav").write_bytes(voices[2].path.read_bytes())
    found = []
    for name, order, in_flight in (("a", [0, 1, 2], "1"), ("b", [2, 0, 1], "3")):
        source = tmp_path / f"{name}.jsonl"
        source.write_text("\n".join(json.dumps(rows[k]) for k in order))
        arguments = ["run", str(source), "-o", str(tmp_path / name), "-n", "2", "--in-flight", in_flight]
        assert cli.main(arguments) == 0
        found.append(lasting(tmp_path / name))
    assert found[0] == found[1] and len(found[0]) == 3
    assert "'set/0' is written to audio/set%2F0.wav" in capsys.readouterr().err
    for id in ("set/1", "set/2"):
        again = tmp_path / "again.wav"
        assert cli.main(["replay", str(tmp_path / "a"), "--id", id, "-o", str(again)]) == 0
        assert "the same, sample for sample" in capsys.readouterr().out
        assert again.read_bytes() == (tmp_path / "b" / found[1][id]["audio"]).read_bytes()
        assert len(found[0][id]["waveform_sha256"]) == hashlib.sha256().digest_size * 2
    assert cli.main(["replay", str(tmp_path / "a"), "--id", "set/7"]) == 2
    assert "has no text 'set/7': did you mean 'set/" in capsys.readouterr().err
    assert cli.main(["replay", str(tmp_path / "a")]) == 2
    assert "say with --id which text" in capsys.readouterr().err
