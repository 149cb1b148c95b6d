"""A book's files, read again by other tools than those that wrote them."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest
import soundfile
import srt
import webvtt
from PIL import Image

from experiments.narration.production.loudness import RATE, true_peak
from experiments.narration.production.make import Made, make
from experiments.narration.production.making import read_making
from experiments.narration.production.options import MakingOptions
from experiments.narration.production.timeline import PAUSES
from experiments.narration.takes import Narration
from tests.experiments.narration.production.narrations import SHORT, Line, narration

pytestmark = pytest.mark.processes
FILES = "wav,flac,mp3,m4b,srt,vtt,epub,certificate"
needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> tuple[Narration, Made]:
    folder = tmp_path_factory.mktemp("book")
    cover = folder / "cover.png"
    Image.new("RGB", (300, 400), (40, 80, 160)).save(cover)
    found = narration(folder / "out")
    options = MakingOptions(files=FILES, cover=cover, author="Ä. Uthor", aligner="proportional")
    return found, make(found, read_making(options))


def _file(book: tuple[Narration, Made], name: str) -> Path:
    return book[0].folder / "book" / name


def _made(tmp_path: Path, lines: tuple[Line, ...] = SHORT, **options: Any) -> tuple[Narration, Made]:
    found = narration(tmp_path / "out", lines)
    return found, make(found, read_making(MakingOptions(aligner="proportional", **options)))


def _probed(file: Path) -> Any:
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-show_chapters", "-of", "json"]
    return json.loads(subprocess.run([*command, str(file)], check=True, capture_output=True).stdout)


def _decoded(file: Path) -> np.ndarray:
    command = ["ffmpeg", "-v", "error", "-i", str(file), "-map", "0:a", "-f", "f32le", "-ac", "1", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, "<f4")


def test_wav_and_flac_hold_the_same_samples(book: tuple[Narration, Made]) -> None:
    wav, rate = soundfile.read(_file(book, "01 Chapter 1.wav"), dtype="int16")
    flac, _ = soundfile.read(_file(book, "01 Chapter 1.flac"), dtype="int16")
    assert rate == RATE and np.array_equal(wav, flac)
    assert len(wav) / RATE == pytest.approx(book[1].levels[1].seconds, abs=1e-4)


@needs_ffmpeg
def test_ffprobe_reads_the_m4b_with_chapters_cover_and_tags(book: tuple[Narration, Made]) -> None:
    found = _probed(_file(book, "A short book.m4b"))
    chapters = [(one["tags"]["title"], float(one["start_time"])) for one in found["chapters"]]
    first = book[1].levels[1].seconds
    assert chapters == [("Chapter 1 <&>", 0.0), ("Chapter 2 <&>", pytest.approx(first, abs=0.001))]
    tags = found["format"]["tags"]
    assert (tags["title"], tags["artist"], tags["genre"], tags["major_brand"]) == (
        "A short book",
        "Ä. Uthor",
        "Audiobook",
        "M4B ",
    )
    audio, *_, cover = found["streams"]
    assert (audio["codec_name"], audio["sample_rate"], audio["channels"]) == ("aac", "44100", 1)
    assert cover["codec_name"] == "png" and cover["disposition"]["attached_pic"] == 1
    assert float(found["format"]["duration"]) == pytest.approx(book[1].levels[0].seconds, abs=0.05)


@needs_ffmpeg
def test_ffprobe_reads_the_mp3_with_its_tags_and_a_constant_rate(book: tuple[Narration, Made]) -> None:
    found = _probed(_file(book, "02 Chapter 2.mp3"))
    audio, cover = found["streams"]
    assert (audio["codec_name"], audio["sample_rate"], audio["bit_rate"]) == ("mp3", "44100", "192000")
    assert cover["codec_name"] == "png" and cover["disposition"]["attached_pic"] == 1
    tags = found["format"]["tags"]
    assert (tags["title"], tags["album"], tags["artist"], tags["track"]) == (
        "Chapter 2 <&>",
        "A short book",
        "Ä. Uthor",
        "2/2",
    )


@needs_ffmpeg
def test_a_whole_book_as_mp3_has_chapters(tmp_path: Path) -> None:
    found, made = _made(tmp_path, files="mp3", per="book")
    chapters = _probed(found.folder / "book" / "A short book.mp3")["chapters"]
    assert [one["tags"]["title"] for one in chapters] == ["Chapter 1 <&>", "Chapter 2 <&>"]
    assert float(chapters[1]["start_time"]) == pytest.approx(made.levels[1].seconds, abs=0.002)


@needs_ffmpeg
def test_lossy_files_sound_as_the_wav(book: tuple[Narration, Made]) -> None:
    wav, _ = soundfile.read(_file(book, "01 Chapter 1.wav"), dtype="float32")
    for name, least in (("01 Chapter 1.mp3", 0.99), ("A short book.m4b", 0.98)):
        heard = _decoded(_file(book, name))
        near = heard[: len(wav)]
        assert np.corrcoef(near, wav)[0, 1] > least, name


@pytest.mark.parametrize(("target", "expected"), [("ebu:-18", -18.0), ("ebu:-23", -23.0)])
def test_loudness_is_the_target_by_a_library(tmp_path: Path, target: str, expected: float) -> None:
    found, made = _made(tmp_path, files="wav", loudness=target, per="book")
    samples, _ = soundfile.read(found.folder / "book" / "A short book.wav", dtype="float32")
    measured = pyloudnorm.Meter(RATE).integrated_loudness(samples)
    assert measured == pytest.approx(expected, abs=0.5)
    assert made.levels[0].lufs == pytest.approx(measured, abs=0.05)
    assert true_peak(samples) <= -0.9


def test_acx_levels_hold_for_every_chapter_file(tmp_path: Path) -> None:
    found, made = _made(tmp_path, files="mp3", loudness="acx")
    for number in (1, 2):
        samples, _ = soundfile.read(found.folder / "book" / f"0{number} Chapter {number}.mp3")
        level = 10 * np.log10(np.mean(np.square(samples)))
        assert -23 <= level <= -18
        assert 20 * np.log10(np.abs(samples).max()) <= -3
        head = samples[: round(0.4 * RATE)]
        assert 10 * np.log10(np.mean(np.square(head)) + 1e-12) <= -60
        assert made.levels[number].acx


@needs_ffmpeg
def test_ffmpeg_measures_the_same_loudness(book: tuple[Narration, Made]) -> None:
    file = _file(book, "01 Chapter 1.wav")
    command = ["ffmpeg", "-i", str(file), "-af", "ebur128=peak=true", "-f", "null", "-"]
    told = subprocess.run(command, check=False, capture_output=True, text=True).stderr.rpartition("Summary:")[
        2
    ]
    numbers = {
        line.split(":")[0].strip(): line.split(":")[1].split()[0]
        for line in told.rpartition("Summary:")[2].splitlines()
        if "LUFS" in line or "dBFS" in line
    }
    levels = book[1].levels[1]
    assert float(numbers["I"]) == pytest.approx(levels.lufs, abs=0.15)
    assert float(numbers["Peak"]) == pytest.approx(levels.peak, abs=0.3)


def test_pauses_are_as_long_as_they_were_asked_for(tmp_path: Path) -> None:
    wanted = PAUSES | {"sentence": 1.5, "section": 3.0}
    found, _ = _made(tmp_path, files="wav", pauses="sentence=1.5,section=3", loudness="none")
    samples, _ = soundfile.read(found.folder / "book" / "01 Chapter 1.wav", dtype="float32")
    frame = RATE // 100
    power = np.square(samples[: len(samples) // frame * frame].reshape(-1, frame)).mean(axis=1)
    quiet = np.concatenate([[False], power < 10**-5.8, [False]])
    starts, stops = (
        np.flatnonzero(np.diff(quiet.astype(int)) == 1),
        np.flatnonzero(np.diff(quiet.astype(int)) == -1),
    )
    longest = sorted(((stop - start) / 100 for start, stop in zip(starts, stops, strict=True)), reverse=True)
    own = sorted(
        (wanted[name] for name in ("head", "heading", "sentence", "paragraph", "section", "chapter")),
        reverse=True,
    )
    assert longest[: len(own)] == pytest.approx(own, abs=0.12)


def test_joins_have_no_click(book: tuple[Narration, Made]) -> None:
    """Where a pause begins or ends, no sample differs from the next by more than the noise."""
    samples, _ = soundfile.read(_file(book, "01 Chapter 1.flac"), dtype="float32")
    steps = np.abs(np.diff(samples))
    frame = RATE // 100
    peaks = np.abs(samples[: len(samples) // frame * frame].reshape(-1, frame)).max(axis=1)
    edges = np.flatnonzero((peaks[:-1] < 1e-4) != (peaks[1:] < 1e-4)) + 1
    assert len(edges) >= 10
    for edge in edges:
        assert steps[edge * frame - 5 : edge * frame + 5].max() < 0.003


def test_captions_are_parsed_by_libraries_and_have_every_word_in_order(book: tuple[Narration, Made]) -> None:
    written = [chunk.written for chunk in book[0].plan.chunks if chunk.chapter == 1]
    cues = list(srt.parse(_file(book, "01 Chapter 1.srt").read_text("utf-8"), ignore_errors=False))
    assert [" ".join(cue.content.split()) for cue in cues] == written
    words = list(srt.parse(_file(book, "01 Chapter 1.words.srt").read_text("utf-8"), ignore_errors=False))
    assert [cue.content for cue in words] == " ".join(written).split()
    assert all(a.end <= b.start and a.start < a.end for a, b in pairwise(words))
    assert words[-1].end.total_seconds() < book[1].levels[1].seconds
    for name, wanted in (("vtt", cues), ("words.vtt", words)):
        found = webvtt.read(str(_file(book, f"01 Chapter 1.{name}")))
        assert [cue.text.replace("&amp;", "&") for cue in found] == [cue.content for cue in wanted]
        assert [cue.start_in_seconds for cue in found] == [int(cue.start.total_seconds()) for cue in wanted]


def test_captions_of_the_book_follow_its_one_file(tmp_path: Path) -> None:
    found, made = _made(tmp_path, files="srt", per="book")
    cues = list(srt.parse((found.folder / "book" / "A short book.srt").read_text("utf-8")))
    second = [cue for cue in cues if cue.start.total_seconds() > made.levels[1].seconds]
    assert [" ".join(one.content.split()) for one in second] == [
        chunk.written for chunk in found.plan.chunks if chunk.chapter == 2
    ]
    assert second[0].start.total_seconds() == pytest.approx(made.levels[1].seconds + PAUSES["head"], abs=0.15)


def test_the_same_takes_give_the_same_bytes(book: tuple[Narration, Made], tmp_path: Path) -> None:
    cover = tmp_path / "cover.png"
    shutil.copy(book[0].folder.parent / "cover.png", cover)
    options = {"files": FILES, "cover": cover, "author": "Ä. Uthor"}
    _, made = _made(tmp_path, **options)
    for file, other in zip(book[1].files, made.files, strict=True):
        assert file.read_bytes() == other.read_bytes(), file.name


def test_another_take_of_one_chunk_leaves_the_sound_of_all_others(
    book: tuple[Narration, Made], tmp_path: Path
) -> None:
    lines = list(SHORT)
    lines[2] = Line("kal-happy", "clause", written=book[0].plan.chunks[2].written)
    again, _ = _made(tmp_path, tuple(lines), files="wav")
    before, _ = soundfile.read(_file(book, "01 Chapter 1.wav"), dtype="int16")
    after, _ = soundfile.read(again.folder / "book" / "01 Chapter 1.wav", dtype="int16")
    first = int(np.flatnonzero(before[: len(after)] != after[: len(before)])[0])
    last = int(np.flatnonzero(before[::-1][: len(after)] != after[::-1][: len(before)])[0])
    # Chunk 2 lies between: the two before and the three behind are the same samples.
    assert first / RATE > 5.5 and last / RATE > 9.0
    second = (folder / "book" / "02 Chapter 2.wav" for folder in (book[0].folder, again.folder))
    assert len({file.read_bytes() for file in second}) == 1


def test_the_epub_follows_the_rules_of_media_overlays(book: tuple[Narration, Made]) -> None:
    """W3C EPUB 3.3: OCF, package document, media overlays."""
    from lxml import etree

    names = {
        "x": "http://www.w3.org/1999/xhtml",
        "s": "http://www.w3.org/ns/SMIL",
        "o": "http://www.idpf.org/2007/opf",
    }
    with zipfile.ZipFile(_file(book, "A short book.epub")) as epub:
        first = epub.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert epub.read(first) == b"application/epub+zip"
        package = etree.fromstring(epub.read("OEBPS/package.opf"))
        items = {one.get("id"): one for one in package.iterfind(".//o:item", names)}
        listed = {f"OEBPS/{one.get('href')}" for one in items.values()}
        assert listed == {name for name in epub.namelist() if name.startswith("OEBPS/")} - {
            "OEBPS/package.opf"
        }
        durations = {
            one.get("refines"): float(one.text.rstrip("s"))
            for one in package.iterfind(".//o:meta", names)
            if one.get("property") == "media:duration"
        }
        assert durations.pop(None) == pytest.approx(sum(durations.values()), abs=0.01)
        for number in (1, 2):
            chapter = items[f"chapter00{number}"]
            overlay = items[chapter.get("media-overlay")]
            assert overlay.get("media-type") == "application/smil+xml"
            page = etree.fromstring(epub.read(f"OEBPS/{chapter.get('href')}"))
            smil = etree.fromstring(epub.read(f"OEBPS/{overlay.get('href')}"))
            spans = {one.get("id"): "".join(one.itertext()) for one in page.iterfind(".//x:span", names)}
            said = [one.get("src").split("#")[1] for one in smil.iterfind(".//s:text", names)]
            assert said == list(spans)
            assert " ".join(spans.values()) == " ".join(
                chunk.written for chunk in book[0].plan.chunks if chunk.chapter == number
            )
            clips = list(smil.iterfind(".//s:audio", names))
            times = [(float(one.get("clipBegin")[:-1]), float(one.get("clipEnd")[:-1])) for one in clips]
            assert all(begin < end for begin, end in times)
            sound = soundfile.SoundFile(io.BytesIO(epub.read(f"OEBPS/{clips[0].get('src')}")))
            assert times[-1][1] == pytest.approx(len(sound) / sound.samplerate, abs=0.01)
            assert durations[f"#{overlay.get('id')}"] == pytest.approx(times[-1][1], abs=0.01)


@pytest.mark.skipif(not shutil.which("epubcheck"), reason="epubcheck is not installed")
def test_epubcheck_finds_nothing(book: tuple[Narration, Made]) -> None:
    jar = Path(shutil.which("epubcheck") or "").resolve()
    command = ["java", "-jar", str(jar)] if jar.suffix == ".jar" else [str(jar)]
    told = subprocess.run(
        [*command, str(_file(book, "A short book.epub"))], check=False, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
