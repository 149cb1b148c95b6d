"""Bad input to what makes a book's files: one line each, before any model is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from experiments.narration.production.make import make
from experiments.narration.production.making import read_making
from experiments.narration.production.options import MakingOptions
from experiments.narration.takes import TAKES, read_narration
from llasa_core.errors import UserError
from tests.experiments.narration.production.narrations import narration


def _refused(**options: Any) -> str:
    with pytest.raises(UserError) as error:
        read_making(MakingOptions(**options))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"files": "mp4"}, "did you mean 'mp3'"),
        ({"files": " , "}, "names nothing to make"),
        ({"per": "page"}, "give chapter or book"),
        ({"loudness": "ebu:-60"}, "the target of ebu is from -31 to -9"),
        ({"loudness": "acx:-30"}, "the target of acx is from -22 to -18.5"),
        ({"loudness": "loud"}, "give ebu:-18"),
        ({"pauses": "word=1"}, "NAME one of head, clause"),
        ({"pauses": "sentence=60"}, "seconds"),
        ({"pauses": "sentence=0.01"}, "give 0.2 to 10 seconds"),
        ({"pauses": "sentence=nan"}, "seconds"),
        ({"aligner": "ctc"}, "give whisper:MODEL"),
        ({"clips": "some"}, "--certificate-audio"),
        ({"files": "wav", "cover": Path("x.png")}, "hold a cover"),
        ({"cover": Path("not/there.png")}, "does not exist"),
    ],
)
def test_bad_options_are_one_line(options: dict[str, Any], says: str) -> None:
    assert says in _refused(**options)


def test_a_cover_that_is_no_picture(tmp_path: Path) -> None:
    file = tmp_path / "cover.png"
    file.write_bytes(b"no picture at all")
    assert "is no picture" in _refused(cover=file)
    whole = tmp_path / "whole.png"
    Image.effect_noise((200, 200), 50).save(whole)
    file.write_bytes(whole.read_bytes()[:-900])
    assert "is no picture" in _refused(cover=file)
    Image.new("RGB", (20, 20)).save(tmp_path / "cover.gif")
    assert "is a GIF picture" in _refused(cover=tmp_path / "cover.gif")
    Image.new("1", (10_001, 2)).save(file)
    assert "scale it down" in _refused(cover=file)


def test_a_folder_without_takes(tmp_path: Path) -> None:
    narration(tmp_path / "out")
    (tmp_path / "out" / TAKES).unlink()
    with pytest.raises(UserError, match="nothing is spoken in"):
        make(read_narration(tmp_path / "out"), read_making(MakingOptions()))
    assert not (tmp_path / "out" / "book").exists()


def test_a_chunk_that_is_not_spoken_yet(tmp_path: Path) -> None:
    narration(tmp_path / "out")
    takes = tmp_path / "out" / TAKES
    takes.write_bytes(b"".join(takes.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(UserError, match=r"1 of 8 chunks are not spoken yet, the first is \w+ in chapter 2"):
        make(read_narration(tmp_path / "out"), read_making(MakingOptions()))


def test_audio_that_was_changed_or_is_gone(tmp_path: Path) -> None:
    found = narration(tmp_path / "out")
    file = tmp_path / "out" / "audio" / "0003.flac"
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(UserError, match="has changed since it was spoken: speak it again, by narrate redo"):
        make(found, read_making(MakingOptions()))
    file.unlink()
    with pytest.raises(UserError, match="is not there: speak it again"):
        make(found, read_making(MakingOptions()))


def test_an_aligner_that_is_not_to_be_had(tmp_path: Path) -> None:
    found = narration(tmp_path / "out")
    with pytest.raises(UserError, match="--aligner whisper:no-such"):
        make(found, read_making(MakingOptions(files="srt", aligner="whisper:no-such")))
    assert not (tmp_path / "out" / "book").exists()
