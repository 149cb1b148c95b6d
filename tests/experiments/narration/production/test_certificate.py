"""The certificate: what its figures are, what its page shows, and how large it is."""

from __future__ import annotations

import base64
import html
import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from experiments.narration.production.certificate.clips import EMBEDDED, characters, embeds
from experiments.narration.production.make import make
from experiments.narration.production.making import read_making
from experiments.narration.production.options import MakingOptions
from experiments.narration.takes import read_narration
from llasa_core.errors import UserError
from tests.experiments.narration.production.narrations import SHORT, Line, long_lines, narration, read_json


def _certificate(
    folder: Path, lines: tuple[Line, ...] = SHORT, clips: str = "auto", loudness: str = "ebu:-18"
) -> str:
    options = MakingOptions(files="certificate", clips=clips, loudness=loudness)
    make(narration(folder, lines), read_making(options))
    return (folder / "certificate.html").read_text("utf-8")


def test_the_figures_are_those_of_the_takes(tmp_path: Path) -> None:
    _certificate(tmp_path / "out")
    found = read_json(tmp_path / "out" / "certificate.json")
    totals = found["totals"]
    assert (totals["chunks"], totals["chunks_certified"], totals["words"], totals["certified"]) == (
        8,
        7,
        66,
        57,
    )
    assert totals["doubtful"] == 9 and totals["tokens"] == 8 * 480
    takes = [chunk for chapter in found["chapters"] for chunk in chapter["chunks"]]
    certified = sum(chunk["seconds"] for chunk in takes if chunk["passed"])
    assert totals["wall_seconds_per_certified_minute"] == pytest.approx(8 * 2.5 / (certified / 60))
    assert [len(chapter["chunks"]) for chapter in found["chapters"]] == [6, 2]
    assert all(chunk["manifests"] and chunk["audio_sha256"] and chunk["heard"] for chunk in takes)
    begins = [chunk["begins"] for chunk in found["chapters"][0]["chunks"]]
    assert begins == sorted(begins) and found["chapters"][0]["levels"]["lufs"] == pytest.approx(-18, abs=0.5)
    assert found["chapters"][0]["drift"]["least"] <= found["chapters"][0]["drift"]["mean"] <= 1


def test_doubtful_places_come_first_and_show_what_each_ear_heard(tmp_path: Path) -> None:
    page = _certificate(tmp_path / "out")
    places = [
        page.index(text) for text in ("Doubtful places", "Their prince used", "All chunks", "My officer")
    ]
    assert places == sorted(places)
    assert page.count("Their prince used") == 1  # once in the whole page: not among the certified ones again
    assert '<del><span class="aside">instead of: </span>their</del>' in page
    assert '<ins><span class="aside">heard: </span>mice</ins>' in page
    assert "What a certificate is worth, by an ear that did not search, was not measured" in page
    assert "1 of 8 chunks are doubtful" in html.unescape(page)


def test_the_page_needs_nothing_else_and_escapes_what_a_user_wrote(tmp_path: Path) -> None:
    lines = (Line("kal", "chapter", written='<script>alert("1")</script> & more'),)
    page = _certificate(tmp_path / "out", lines)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert not re.findall(r'(?:src|href)="(?!data:)[^"]*"', page)
    assert "default-src 'none'" in page


def test_clips_within_the_page_are_the_takes(tmp_path: Path) -> None:
    page = _certificate(tmp_path / "out")
    clips = re.findall(r'aria-label="Chunk (\w+)" src="data:audio/mpeg;base64,([^"]+)"', page)
    assert len(clips) == len(SHORT)
    takes = {take.id: take.audio for take in read_narration(tmp_path / "out").takes.values()}
    for one, content in clips:
        heard, _ = soundfile.read(io.BytesIO(base64.b64decode(content)))
        take, _ = soundfile.read(tmp_path / "out" / takes[one])
        assert 0 <= len(heard) - len(take) <= 1_800  # what an encoder of MP3 adds around
        # LAME turns everything down to 0.95, so that nothing clips.
        assert np.square(heard).sum() == pytest.approx(0.95**2 * np.square(take).sum(), rel=0.03)


def test_clips_can_be_links_or_left_out(tmp_path: Path) -> None:
    page = _certificate(tmp_path / "link", clips="link")
    links = re.findall(r'src="([^"]+)"', page)
    assert len(links) == len(SHORT) and all((tmp_path / "link" / one).is_file() for one in links)
    assert "<audio" not in _certificate(tmp_path / "none", clips="none")


def test_a_long_book_has_links_unless_it_is_asked_otherwise() -> None:
    hours = 3 * 3600.0
    assert characters(hours) > EMBEDDED
    assert not embeds("auto", hours) and embeds("embed", hours) and embeds("auto", 1800.0)


@pytest.mark.slow
def test_two_hundred_chunks_stay_light(tmp_path: Path) -> None:
    """The prompts are some 3 s; chunks of 12 s would have four times as much sound."""
    page = _certificate(tmp_path / "out", tuple(long_lines(200)), loudness="none")
    sound = sum(len(one) for one in re.findall(r'src="data:([^"]+)"', page))
    assert page.count("<audio") == 200
    assert len(page) - sound < 1_500_000
    assert len(page) - sound + 4 * sound < 25_000_000


@pytest.mark.models
def test_a_third_ear_tells_what_the_certificate_is_worth(tmp_path: Path) -> None:
    """The nano recogniser hears prompts of the voices that it was trained on, and one with another text."""
    wrong = Line("rms", "chapter", passed=False, spoken="Nothing of this is said here at all.")
    found = narration(tmp_path / "out", (Line("kal", "sentence"), Line("slt", "sentence"), wrong))
    make(found, read_making(MakingOptions(files="certificate", third_ear="whisper:nano")))
    worth = read_json(tmp_path / "out" / "certificate.json")["worth"]
    assert worth["flagged_with_error"]["share"] == 1.0 and worth["flagged_with_error"]["chunks"] == 1
    assert worth["passed_without_error"]["chunks"] == 2 and worth["related"]
    assert worth["errors_in_passed"] <= 2 < worth["words_in_passed"]
    assert "heard again by whisper:nano" in (tmp_path / "out" / "certificate.html").read_text("utf-8")


def test_an_ear_that_searched_is_no_third_ear(tmp_path: Path) -> None:
    found = narration(tmp_path / "out")
    options = MakingOptions(files="certificate", third_ear="hubert-ctc:nano")
    with pytest.raises(UserError, match="--third-ear hubert-ctc:nano searched, as hubert-ctc:nano"):
        make(found, read_making(options))
    with pytest.raises(UserError, match="hears no words"):
        read_making(MakingOptions(files="certificate", third_ear="ge2e"))
