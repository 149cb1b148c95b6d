"""A short chapter, spoken by the shipped models and judged by ears that are at hand."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from experiments.cli import main as cli
from experiments.files import file_hash
from experiments.narration.takes import Narration, read_narration
from llasa_core.audio import read_audio
from llasa_core.voices import find_voice

pytest.importorskip("pocketsphinx")
EARS = ["--ears", "hubert-ctc:nano,sphinx", "--speak-only"]
"""Real ones of two families that cost little; what is tested here does not depend on how well they hear."""
TEXT = """\
CHAPTER I

She put the letter back in the drawer.

The dog ran after the ball.

Huh!

Please turn off the light.
"""
SMALL = ["--book-tokens", "1"]
"""Only the first search of each chunk."""


def narrate(book: Path, folder: Path, *options: str) -> int:
    return cli.main(["narrate", str(book), "-o", str(folder), *EARS, *options])


def lasting(narration: Narration) -> list[dict[str, Any]]:
    """What does not depend on when and where a chunk was spoken; FLOPs do: an actor runs a prompt once."""
    found = []
    for _, take in narration.in_order:
        assert take is not None
        told = take.model_dump(mode="json", exclude={"session", "elapsed", "ledger", "manifests"})
        for attempt in told["attempts"]:
            del attempt["seconds"], attempt["flops"]
        found.append(told)
    return found


def files(folder: Path) -> dict[str, str]:
    return {path.name: file_hash(path) for path in sorted((folder / "audio").iterdir())}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book") / "book.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def spoken(book: Path) -> Path:
    """The whole chapter, with the budget of the ladder."""
    folder = book.parent / "spoken"
    assert narrate(book, folder) in (0, 3)
    return folder


@pytest.mark.models
@pytest.mark.timeout(900)
def test_every_chunk_is_there_with_its_audio_and_what_was_heard(spoken: Path) -> None:
    narration = read_narration(spoken)
    assert list(narration.plan.ears.values()) == ["HuBERT-CTC", "HMM (pocketsphinx)"]
    assert not narration.plan.one_family
    for chunk, take in narration.in_order:
        assert take is not None
        assert file_hash(spoken / take.audio) == take.audio_sha256
        assert len(read_audio(spoken / take.audio)) == round(take.seconds * 16_000)
        assert [heard.ear for heard in take.heard] == ["hubert-ctc:nano", "sphinx"]
        assert take.passed == (not take.doubts)
        assert take.tokens == take.ledger["tokens_generated"]
        for heard in take.heard:
            said = [word for word in heard.alignment if word.expected]
            assert sum(len(word.expected.split()) for word in said) == heard.words
        if take.passed:
            assert all(heard.errors == 0 and heard.usable for heard in take.heard)
            assert take.attempts[-1].passed
        assert chunk.text == take.text
    assert len(files(spoken)) == len(narration.in_order)


@pytest.mark.models
def test_the_same_command_has_nothing_more_to_do(
    book: Path, spoken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (spoken / "takes.jsonl").read_bytes()
    assert narrate(book, spoken) in (0, 3)
    assert "0 to speak" in capsys.readouterr().err
    assert (spoken / "takes.jsonl").read_bytes() == before


@pytest.mark.models
def test_an_edited_sentence_alone_is_spoken_again(
    book: Path, spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = tmp_path / "edited.txt"
    edited.write_text(book.read_text().replace("the ball", "the cat"))
    before = files(spoken)
    lines = (spoken / "takes.jsonl").read_text().count("\n")
    assert narrate(edited, spoken, *SMALL) in (0, 3)
    assert ", 1 to speak" in " ".join(capsys.readouterr().err.split("\n")).replace("; 1 to", ", 1 to")
    assert (spoken / "takes.jsonl").read_text().count("\n") == lines + 1
    after = files(spoken)
    assert {name: after[name] for name in before if name in after} == {
        name: before[name] for name in before if name in after
    }
    assert narrate(book, spoken, *SMALL) in (0, 3)


@pytest.mark.models
def test_redo_makes_one_chunk_again_and_leaves_every_other_file(
    book: Path, spoken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    narration = read_narration(spoken)
    chunk = narration.plan.chunks[1]
    before = files(spoken)
    plan = (spoken / "plan.json").read_bytes()
    assert cli.main(["narrate", "redo", str(spoken), chunk.id[:6], "--seed", "7", "-n", "1"]) in (0, 3)
    again = read_narration(spoken).takes[chunk.key]
    assert (again.redo, again.seed) == (1, 7)
    assert len(again.attempts) == len(narration.takes[chunk.key].attempts) + 1
    after = files(spoken)
    assert (spoken / "plan.json").read_bytes() == plan
    assert set(after) - set(before) == {Path(again.audio).name}
    assert set(before) - set(after) == {Path(narration.takes[chunk.key].audio).name}
    assert all(after[name] == before[name] for name in set(before) & set(after))
    assert "are older now" not in capsys.readouterr().err
    (spoken / "book").mkdir()
    (spoken / "book" / "old.mp3").touch()
    other = ["--seed", "7", "-n", "1", "--voice", "kal"]
    assert cli.main(["narrate", "redo", str(spoken), chunk.id[:6], *other]) in (0, 3)
    assert "the files of the book are older now: llasa-search narrate make" in capsys.readouterr().err
    assert narrate(book, spoken, *SMALL) in (0, 3)
    assert f"note: chunk {chunk.id} was done again by hand in another voice" in capsys.readouterr().err


REFUSED = [
    (["--ears", "sphinx,sphinx?bias=0.5"], "are the same ear"),
    (["--ears", "sphinx"], "give two with --ears"),
    (["--ears", "sphinx,signal"], "hears no words"),
    (["--budget", "tokens"], "write it as tokens=5000"),
    (["--book-tokens", "0"], "--book-tokens"),
    (["--voice", "nobody"], "no voice 'nobody'"),
    (["--ray-gpus", "1"], "without --ray"),
    (["--device", "cuda:77"], "cuda"),
]


@pytest.mark.parametrize(("options", "says"), REFUSED)
def test_bad_input_is_one_line_before_any_model(
    book: Path, tmp_path: Path, options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["narrate", str(book), "-o", str(tmp_path / "out"), *options]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert says in lines[0]


def test_recordings_of_voices_are_looked_at_before_any_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book, out = tmp_path / "book.md", ["-o", str(tmp_path / "out"), *EARS]
    book.write_text("# One\n\nIt rained.\n\n“Go,” said Bob.\n")
    (tmp_path / "bob.wav").write_text("no sound")
    cast = tmp_path / "voices.yaml"
    cast.write_text("Bob: {audio: bob.wav, text: my officer}\n")
    assert cli.main(["narrate", str(book), *out, "--voices", str(cast)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: the voice of Bob: audio file")
    soundfile.write(tmp_path / "bob.wav", np.zeros(800), 16_000)
    assert cli.main(["narrate", str(book), *out, "--voices", str(cast)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line == "error: the voice of Bob: the prompt audio lasts 0.05 s: give 1 to 15 s"


@pytest.mark.models
def test_chunks_that_a_long_voice_prompt_leaves_no_room_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = read_audio(find_voice("slt").path)
    soundfile.write(tmp_path / "long.wav", np.tile(own, 20)[: 10 * 16_000], 16_000)
    book = tmp_path / "book.txt"
    text = "The old keeper said that the light had to burn through long nights of that winter and the next."
    book.write_text(f"{text}\n")
    voice = ["--prompt-audio", str(tmp_path / "long.wav"), "--prompt-text", "some words"]
    assert cli.main(["narrate", str(book), "-o", str(tmp_path / "out"), *EARS, *voice]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: chunk ") and "The old keeper" in line
    assert line.endswith("split it, or give a shorter recording of the voice (it takes 10.0 s of the room)")
    assert not (tmp_path / "out").exists()


@pytest.mark.models
def test_other_settings_are_refused(book: Path, spoken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert narrate(book, spoken, "--temperature", "0.5") == 2
    assert "was spoken otherwise: models.sampling.temperature" in capsys.readouterr().err
    assert cli.main(["narrate", "redo", str(spoken), "zz"]) == 2
    assert "has no chunk 'zz'" in capsys.readouterr().err
    assert cli.main(["narrate", "redo", str(book.parent), "zz"]) == 2
    assert "holds no plan.json" in capsys.readouterr().err


def start(book: Path, folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "experiments.cli.main", "narrate", str(book), "-o", str(folder)]
    return subprocess.Popen(
        [*command, *EARS, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def lines(folder: Path) -> list[str]:
    path = folder / "takes.jsonl"
    return (
        [one for one in path.read_text().splitlines(keepends=True) if one.endswith("\n")]
        if path.exists()
        else []
    )


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.models
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("ray", [(), ("--ray", "2", "--ray-threads", "1")], ids=["alone", "two actors"])
def test_killed_at_random_moments_it_is_the_same_book(
    book: Path, tmp_path: Path, ray: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the chunks that are judged in shared batches, alone or by two actors, nothing done twice."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    moment = random.Random(3)
    killed = tmp_path / "killed"
    kept: list[str] = []
    ended = 0
    for _ in range(10):
        running = start(book, killed, "--in-flight", "2", *ray)
        more = moment.randint(0, 1)  # 0: as likely while models are loaded as while they speak
        while running.poll() is None and not (
            (killed / "plan.json").exists() and len(lines(killed)) >= len(kept) + more
        ):
            time.sleep(0.02)
        time.sleep(moment.uniform(0, 0.5 if more else 6))
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=300)
        ended += running.returncode != 0
        now = lines(killed)
        assert now[: len(kept)] == kept
        kept = now
    last = start(book, killed, *ray)
    printed = last.communicate(timeout=1200)[0]
    assert last.returncode in (0, 3), printed
    assert ended >= 3
    whole = start(book, tmp_path / "whole")
    assert whole.wait(timeout=1200) in (0, 3)
    one, other = read_narration(killed), read_narration(tmp_path / "whole")
    assert lasting(one) == lasting(other)
    assert files(killed) == files(tmp_path / "whole")
    tried = Counter((json.loads(line)["key"], len(json.loads(line)["attempts"])) for line in lines(killed))
    assert set(tried.values()) == {1}
    assert not [name for name in os.listdir(killed) if name.endswith(".part")]


@pytest.mark.processes
@pytest.mark.models
def test_ctrl_c_keeps_what_is_finished(book: Path, tmp_path: Path) -> None:
    running = start(book, tmp_path / "out", "--in-flight", "1", *SMALL)
    while running.poll() is None and not lines(tmp_path / "out"):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    printed = running.communicate(timeout=280)[0]
    assert running.returncode in (130, 0, 3), printed
    assert "Traceback" not in printed
    if running.returncode == 130:
        assert "interrupted: the same command goes on" in printed
    assert lines(tmp_path / "out")
