"""Lists in the exact format of the originals, with sentences of our own: what is read, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from experiments.studies.protocols.emotion import ESD_EMOTIONS, RAVDESS_EMOTIONS
from experiments.studies.protocols.librispeech import LIST
from experiments.studies.protocols.protocol import POOLED
from experiments.studies.protocols.registry import PROTOCOLS, explain, find
from llasa_core.errors import UserError

Sound = Callable[..., Path]


@pytest.fixture
def sound() -> Sound:
    """Makes a recording, with the folders that lead to it."""

    def make(path: Path, seconds: float = 2.0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(0).normal(0, 0.1, round(16_000 * seconds))
        soundfile.write(path, noise, 16_000)
        return path

    return make


def write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
    return path


def refusal(name: str, data: Path | None) -> str:
    with pytest.raises(UserError) as error:
        find(name).read(data)
    line = str(error.value)
    assert "\n" not in line
    return line


EN = ["cv-1-cv-2|What the first one says.|prompt-wavs/cv-1.wav|Don't wait, the bus is late."]


@pytest.fixture
def seed_tts(tmp_path: Path, sound: Sound) -> Path:
    """A folder in the layout of the test set: en and zh, each with its recordings beside the lists."""
    sound(tmp_path / "en/prompt-wavs/cv-1.wav")
    sound(tmp_path / "en/wavs/cv-1-cv-2.wav")
    sound(tmp_path / "zh/prompt-wavs/10-1.wav")
    write(tmp_path / "en/meta.lst", *EN)
    write(
        tmp_path / "zh/meta.lst",
        "10-1-10-2|今天下雨。|prompt-wavs/10-1.wav|我们明天去山上。|prompt-wavs/10-1.wav",
    )
    write(tmp_path / "zh/hardcase.lst", "hard-7|今天下雨。|prompt-wavs/10-1.wav|四十四只石狮子。")
    return tmp_path


def test_seed_tts_eval(seed_tts: Path) -> None:
    (english,) = find("seed-tts-en").read(seed_tts)
    assert english.id == "cv-1-cv-2" and english.language == "en"
    assert english.text == "Don't wait, the bus is late."
    assert english.prompt_text == "What the first one says."
    assert english.prompt_audio == seed_tts / "en/prompt-wavs/cv-1.wav"
    assert english.truth == seed_tts / "en/wavs/cv-1-cv-2.wav"
    (chinese,) = find("seed-tts-zh").read(seed_tts)
    assert chinese.language == "zh" and chinese.truth == chinese.prompt_audio
    (hard,) = find("seed-tts-hard").read(seed_tts)
    assert hard.text == "四十四只石狮子。" and hard.language == "zh" and hard.truth is None


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "is empty"),
        (EN * 2, "line 2 of .*: the id 'cv-1-cv-2' is that of line 1"),
        (["../up|a b|prompt-wavs/cv-1.wav|Hello there."], "'../up' cannot be the name of a file"),
        (["a|a b|../../cv-1.wav|Hello there."], "prompt audio .* lies outside of --data"),
        (["a|a b|/etc/hostname|Hello there."], "lies outside of --data"),
        (["a|a b|prompt-wavs/gone.wav|Hello there."], "line 1 .*gone.wav does not exist"),
        (["a||prompt-wavs/cv-1.wav|Hello there."], "no prompt text"),
        (["a|Hello there."], "line 1 .* has no prompt"),
        (["a|a b|prompt-wavs/cv-1.wav|?!"], "no letter or digit"),
        (["a|b|c|d|e|f"], "has 6 fields"),
    ],
)
def test_a_bad_line_is_named(seed_tts: Path, lines: list[str], says: str) -> None:
    write(seed_tts / "en/meta.lst", *lines)
    with pytest.raises(UserError, match=says):
        find("seed-tts-en").read(seed_tts)


def test_a_list_in_another_encoding(seed_tts: Path) -> None:
    write(seed_tts / "zh/meta.lst", "a|今天|prompt-wavs/10-1.wav|明天", encoding="gb18030")
    assert "is not UTF-8" in refusal("seed-tts-zh", seed_tts)


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name != "nano-eval"])
def test_data_that_is_missing_is_named_with_its_source(name: str, tmp_path: Path) -> None:
    for data in (None, tmp_path, tmp_path / "nowhere"):
        line = refusal(name, data)
        assert "--data" in line and find(name).source in line
    assert len(explain().splitlines()) < len(PROTOCOLS)


@pytest.fixture
def librispeech(tmp_path: Path, sound: Sound) -> Path:
    """Utterances of 3.9, 4, 10 and 10.1 s, and the list of F5-TTS."""
    folder = tmp_path / "LibriSpeech/test-clean/61/70968"
    lengths = (3.9, 4.0, 10.0, 10.1)
    for number, seconds in enumerate(lengths):
        sound(folder / f"61-70968-{number:04d}.flac", seconds)
    write(
        folder / "61-70968.trans.txt", *(f"61-70968-{k:04d} HE DIDN'T SAY {k * 'AND '}WHY" for k in range(4))
    )
    write(
        tmp_path / LIST,
        "61-70968-0000\t3.9\tHe didn't say why.\t61-70968-0002\t10.0\tHe didn't say, and \"and\" why!",
    )
    return tmp_path


def test_continuation_takes_4_to_10_seconds_three_times(librispeech: Path) -> None:
    protocol = find("librispeech-continuation")
    assert protocol.scoring.average == POOLED and protocol.scoring.prompt_seconds == 3
    found = protocol.read(librispeech)
    assert [one.id for one in found] == [f"61-70968-{k:04d}_wav_c_{t}" for k in (1, 2) for t in range(3)]
    assert {one.unit for one in found} == {"61-70968-0001", "61-70968-0002"}
    assert found[0].text == found[0].prompt_text == "he didn't say and why"
    assert found[0].truth == found[0].prompt_audio
    assert len(protocol.read(librispeech, limit=1)) == 3


def test_a_recording_of_the_corpus_that_is_missing(librispeech: Path) -> None:
    (librispeech / "LibriSpeech/test-clean/61/70968/61-70968-0002.flac").unlink()
    assert "0002.flac does not exist" in refusal("librispeech-continuation", librispeech)
    assert "0002.flac does not exist" in refusal("librispeech-pc", librispeech)


def test_librispeech_pc(librispeech: Path) -> None:
    (one,) = find("librispeech-pc").read(librispeech)
    assert one.id == "61-70968-0002" and one.text == 'He didn\'t say, and "and" why!'
    assert one.prompt_audio.name == "61-70968-0000.flac" and one.prompt_text == "He didn't say why."
    assert one.truth is not None and one.truth.name == "61-70968-0002.flac"
    write(librispeech / LIST, "61-70968-0000\t3.9\tHe.\t../x\t1\tWhy.", "61-70968-0000\tonly three\tfields")
    line = refusal("librispeech-pc", librispeech)
    assert (
        "2 rows" in line
        and "'../x' is none of LibriSpeech" in line
        and "line 2" in line
        and "3 fields" in line
    )


@pytest.fixture
def cv3(tmp_path: Path, sound: Sound) -> Path:
    """The layout of emotion_zeroshot; paths are relative to the root of the repository."""
    for emotion in ("angry", "happy", "sad"):
        folder = tmp_path / "data/emotion_zeroshot/en" / emotion
        sound(folder / "waveform/prompt_audio_1.wav")
        write(folder / "text", f"uttid_1 I am {emotion}, and that's all.")
        write(folder / "prompt_text", "uttid_1 Who is at the door.")
        write(
            folder / "prompt_wav.scp",
            f"uttid_1 data/emotion_zeroshot/en/{emotion}/waveform/prompt_audio_1.wav",
        )
    return tmp_path


def test_cv3_emotion(cv3: Path) -> None:
    found = find("cv3-emotion-en").read(cv3)
    assert [(one.id, one.emotion) for one in found] == [
        ("angry_uttid_1", "angry"),
        ("happy_uttid_1", "happy"),
        ("sad_uttid_1", "sad"),
    ]
    assert found[0].text == "I am angry, and that's all." and found[0].prompt_text == "Who is at the door."
    folder = cv3 / "data/emotion_zeroshot/en/sad"
    write(folder / "prompt_text", "uttid_2 Another one.")
    assert "prompt_text has no line for 'uttid_1'" in refusal("cv3-emotion-en", cv3)
    write(folder / "prompt_text", "uttid_1 One.", "uttid_1 One.")
    assert "'uttid_1' is there twice" in refusal("cv3-emotion-en", cv3)
    write(folder / "prompt_text", "uttid_1 One.")
    (folder / "prompt_wav.scp").unlink()
    assert "prompt_wav.scp is not there" in refusal("cv3-emotion-en", cv3)


@pytest.mark.parametrize(
    ("speaker", "encoding"), [("0011", "utf-8"), ("0012", "utf-16"), ("0016", "latin-1")]
)
def test_esd(tmp_path: Path, sound: Sound, speaker: str, encoding: str) -> None:
    lines = []
    for place, folder in enumerate(ESD_EMOTIONS):
        for number in range(place * 350 + 19, place * 350 + 53):
            name = f"{speaker}_{number:06d}"
            sound(tmp_path / speaker / folder / "test" / f"{name}.wav", 0.6)
            lines.append(f"{name}\tThe café has {number % 350} tables.\t{folder}")
    write(
        tmp_path / speaker / f"{speaker}.txt", "a line that is not like the others", *lines, encoding=encoding
    )
    found = find("esd-en").read(tmp_path)
    assert len(found) == 5 * 30
    assert found[0].id == f"{speaker}_000021" and found[0].emotion == "neutral"
    assert (
        found[0].prompt_audio.stem == f"{speaker}_000022"
        and found[29].prompt_audio.stem == f"{speaker}_000021"
    )
    assert found[0].text == "The café has 21 tables." and found[0].prompt_text == "The café has 22 tables."
    assert found[-1].id == f"{speaker}_001450" and found[-1].emotion == "surprised"
    (tmp_path / speaker / "Sad/test" / f"{speaker}_001080.wav").unlink()
    assert f"holds no {speaker}_001080.wav" in refusal("esd-en", tmp_path)


def test_ravdess(tmp_path: Path, sound: Sound) -> None:
    for code in RAVDESS_EMOTIONS:
        for intensity in ("01",) if code == "01" else ("01", "02"):
            for sentence in ("01", "02"):
                sound(tmp_path / "Actor_12" / f"03-01-{code}-{intensity}-{sentence}-01-12.wav", 0.6)
    found = find("ravdess").read(tmp_path)
    assert len(found) == 26 and find("ravdess").full == 24 * 26
    one = next(
        one for one in found if one.id == "03-01-06-01-02-01-12"
    )  # as the readme of RAVDESS explains it
    assert one.emotion == "fearful" and one.text == "Dogs are sitting by the door."
    assert one.prompt_audio.name == "03-01-06-01-01-01-12.wav" and one.prompt_text.startswith("Kids")
    (tmp_path / "Actor_12/03-01-06-01-01-01-12.wav").unlink()
    assert "03-01-06-01-01-01-12.wav does not exist" in refusal("ravdess", tmp_path)


def test_minimax(tmp_path: Path, sound: Sound) -> None:
    for gender, clip in (("female", "common_voice_fr_1.wav"), ("male", "common_voice_fr_2.wav")):
        sound(tmp_path / f"speaker/french/french_{gender}/{clip}")
    write(
        tmp_path / "speaker/prompt_text.txt",
        "common_voice_fr_1.wav|Bonjour.",
        "common_voice_fr_2.wav|Bonsoir.",
    )
    listed = write(tmp_path / "text/french.txt", "french_female|Il pleut.", "french_male|Il neige.")
    first, second = find("minimax-french").read(tmp_path)
    assert (first.id, first.text, first.language) == ("french_female_001", "Il pleut.", "fr")
    assert second.prompt_text == "Bonsoir." and second.prompt_audio.name == "common_voice_fr_2.wav"
    write(listed, "../../en|Il pleut.", "french_female")
    line = refusal("minimax-french", tmp_path)
    assert "no name of a folder" in line and "line 2" in line
    assert find("minimax-japanese").scoring.characters and not find("minimax-french").scoring.characters
    assert sum(name.startswith("minimax-") for name in PROTOCOLS) == 24


def test_nano_eval_is_shipped() -> None:
    found = find("nano-eval").read(None)
    assert len(found) == 100 and found[0].text == "he was licensed to carry a weapon"
    assert len({one.voice for one in found}) > 1 and found[0].prompt_audio.is_file()
    assert len(find("nano-eval").read(None, limit=3)) == 3
    assert "leave it out" in refusal("nano-eval", Path())


def test_an_unknown_protocol_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'seed-tts-en'"):
        find("seed-tts-eng")
