import io
import logging
import os
import resource
import stat
import struct

import numpy as np
import pytest
import soundfile

from llasa_core.audio import (
    MAX_SECONDS,
    SAMPLE_RATE,
    AudioError,
    clipped_share,
    is_silent,
    loudness_dbfs,
    read_audio,
    seconds,
    wav_bytes,
    write_audio,
)


def tone(rate: int, duration: float = 1.0, frequency: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * duration)) / rate)


def test_stereo_44k_becomes_mono_16k(tmp_path):
    left = tone(44_100)
    soundfile.write(tmp_path / "a.wav", np.stack([left, 0 * left], axis=1), 44_100, subtype="PCM_24")
    waveform = read_audio(tmp_path / "a.wav")
    assert waveform.dtype == np.float32 and waveform.shape == (SAMPLE_RATE,)
    middle = slice(1000, 15_000)
    np.testing.assert_allclose(waveform[middle], 0.5 * tone(SAMPLE_RATE)[middle], atol=2e-3)


def test_eight_bit_telephone_audio(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(8_000), 8_000, subtype="PCM_U8")
    waveform = read_audio(tmp_path / "a.wav")
    assert len(waveform) == SAMPLE_RATE
    np.testing.assert_allclose(waveform[1000:15_000], tone(SAMPLE_RATE)[1000:15_000], atol=0.02)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "does not exist"), (b"", "is empty"), (b"no audio at all, just text", "cannot be read")],
)
def test_unreadable_file_is_named_with_its_cure(tmp_path, content, said):
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=said) as caught:
        read_audio(path)
    assert "a.wav" in str(caught.value) and ": " in str(caught.value) and "\n" not in str(caught.value)


def test_folder_headers_without_samples_and_broken_header(tmp_path):
    with pytest.raises(AudioError, match="is a folder"):
        read_audio(tmp_path)
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    with pytest.raises(AudioError, match="holds no samples"):
        read_audio(tmp_path / "none.wav")
    soundfile.write(tmp_path / "good.wav", tone(16_000), 16_000)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "good.wav").read_bytes()[:30])
    with pytest.raises(AudioError):
        read_audio(tmp_path / "cut.wav")


def test_not_a_number_is_refused(tmp_path):
    soundfile.write(tmp_path / "nan.wav", np.full(100, np.nan), 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="not numbers"):
        read_audio(tmp_path / "nan.wav")


@pytest.mark.parametrize("peak", [1.02, 2.0, 32768.0, 1e30])
def test_audio_louder_than_full_scale_is_scaled_down_and_said(tmp_path, caplog, peak):
    soundfile.write(tmp_path / "loud.wav", tone(SAMPLE_RATE) * 2 * peak, SAMPLE_RATE, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        waveform = read_audio(tmp_path / "loud.wav")
    np.testing.assert_allclose(waveform, 2 * tone(SAMPLE_RATE), atol=1e-6)
    assert "louder than full scale" in caplog.text and "loud.wav" in caplog.text


@pytest.mark.parametrize("value", [np.inf, -np.inf, 3e38])
def test_samples_beyond_all_numbers_are_refused(tmp_path, value):
    stereo = np.full((100, 2), value, np.float32)
    soundfile.write(tmp_path / "a.wav", stereo, SAMPLE_RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match="not numbers"):
        read_audio(tmp_path / "a.wav")


def wav_header(rate: int, channels: int = 1, samples: int = 100, stated: int | None = None) -> bytes:
    data = b"\1\0" * samples * channels
    size = len(data) if stated is None else stated
    return (
        struct.pack("<4sI4s4sI", b"RIFF", (36 + size) & 0xFFFFFFFF, b"WAVE", b"fmt ", 16)
        + struct.pack("<HHIIHH", 1, channels, rate, (rate * channels * 2) & 0xFFFFFFFF, channels * 2, 16)
        + struct.pack("<4sI", b"data", size & 0xFFFFFFFF)
        + data
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (wav_header(1), "1 samples a second"),
        (wav_header(3_999), "3999 samples a second"),
        (wav_header(384_001), "samples a second"),
        (wav_header(0), "read|samples"),
        (wav_header(4_000_000_000), "read|samples"),
        (wav_header(SAMPLE_RATE, 17), "17 channels"),
        (wav_header(SAMPLE_RATE, 1024), "1024 channels"),
        (wav_header(4_000, samples=4_000 * 601), "601 s long, at most 600 s"),
    ],
)
def test_absurd_headers_are_refused_before_decoding(tmp_path, content, said):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(AudioError, match=said) as caught:
        read_audio(tmp_path / "a.wav")
    assert "\n" not in str(caught.value)


def test_raw_samples_are_refused_in_one_line(tmp_path):
    for name in ("a.raw", "a.pcm", "a.wav", "a"):
        (tmp_path / name).write_bytes((tone(SAMPLE_RATE) * 32767).astype("<i2").tobytes())
        with pytest.raises(AudioError, match="cannot be read") as caught:
            read_audio(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("stated", [True, False])
def test_hours_in_a_small_flac_take_neither_memory_nor_time(tmp_path, stated):
    """Two hours of silence in some 100 kB; the header may also say that their number is unknown."""
    with soundfile.SoundFile(tmp_path / "a.flac", "w", 8_000, 2, format="FLAC") as file:
        for _ in range(120):
            file.write(np.zeros((8_000 * 60, 2), np.int16))
    if not stated:
        content = bytearray((tmp_path / "a.flac").read_bytes())
        content[21] &= 0xF0
        content[22:26] = bytes(4)
        (tmp_path / "a.flac").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(AudioError, match="long, at most 600 s are read") as caught:
        read_audio(tmp_path / "a.flac")
    assert ("7,200 s" in str(caught.value)) is stated
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    with pytest.raises(AudioError, match="at most 5 s"):
        read_audio(tmp_path / "a.flac", max_seconds=5)


def test_the_longest_audio_is_read(tmp_path):
    rate = 4_000
    soundfile.write(tmp_path / "a.flac", tone(rate, MAX_SECONDS), rate)
    assert seconds(read_audio(tmp_path / "a.flac")) == MAX_SECONDS


@pytest.mark.parametrize("gains", [(1, -1), (-0.9, 1), (1, -1, 0.5, -0.5)])
def test_channels_that_cancel_each_other_leave_the_loudest(tmp_path, caplog, gains):
    channels = np.stack([tone(SAMPLE_RATE, 5.0) * gain for gain in gains], axis=1)
    soundfile.write(tmp_path / "a.wav", channels, SAMPLE_RATE, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        waveform = read_audio(tmp_path / "a.wav")
    np.testing.assert_array_equal(waveform, channels[:, np.argmax(np.abs(gains))].astype(np.float32))
    assert "cancel each other" in caplog.text


@pytest.mark.parametrize("gains", [(1, 1), (1, 0), (1, 0.3), (0, 0, 0, 1), (1, -0.5)])
def test_other_channels_are_averaged_without_a_word(tmp_path, caplog, gains):
    channels = np.stack([tone(SAMPLE_RATE) * gain for gain in gains], axis=1).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", channels, SAMPLE_RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav"), channels.mean(axis=1, dtype=np.float32))
    assert caplog.text == ""


@pytest.mark.parametrize("kind", ["fifo", "/dev/zero", "long", "nul", "~nosuchuser/x", "loop"])
def test_paths_that_are_no_files_neither_hang_nor_crash(tmp_path, kind):
    path = kind
    if kind == "fifo":
        os.mkfifo(path := tmp_path / "fifo.wav")
    elif kind == "long":
        path = tmp_path / ("x" * 300)
    elif kind == "nul":
        path = f"{tmp_path}/a\0.wav"
    elif kind == "loop":
        (path := tmp_path / "loop.wav").symlink_to("loop.wav")
    with pytest.raises(AudioError) as caught:
        read_audio(path)
    assert str(caught.value).startswith("audio file ") and str(caught.value).isprintable()


def test_names_that_are_no_utf8_are_read(tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff\xfe.wav"
    soundfile.write(name, tone(SAMPLE_RATE), SAMPLE_RATE)
    assert seconds(read_audio(os.fsdecode(name))) == 1.0
    with open(name, "wb") as file:
        file.write(b"no audio")
    with pytest.raises(AudioError, match="cannot be read") as caught:
        read_audio(os.fsdecode(name))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_wav_bytes_are_those_of_libsndfile(kind):
    random = np.random.default_rng(0).standard_normal(100_000) * 0.5
    waveform = np.concatenate([random, np.arange(-2.0, 2.0, 0.5), np.arange(-6, 7) / 32768]).astype(kind)
    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform, -1, 1), SAMPLE_RATE, subtype="PCM_16", format="WAV")
    assert wav_bytes(waveform) == file.getvalue()


def test_write_is_whole_16_bit_and_leaves_no_other_file(tmp_path):
    waveform = tone(SAMPLE_RATE).astype(np.float32)
    waveform[:2] = 3.0, -3.0
    write_audio(tmp_path / "out.wav", waveform)
    info = soundfile.info(tmp_path / "out.wav")
    assert (info.samplerate, info.channels, info.subtype) == (SAMPLE_RATE, 1, "PCM_16")
    np.testing.assert_allclose(read_audio(tmp_path / "out.wav"), np.clip(waveform, -1, 1), atol=1 / 32767)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.wav"]
    assert stat.S_IMODE(os.stat(tmp_path / "out.wav").st_mode) & 0o400


def test_write_into_missing_folder_leaves_nothing(tmp_path):
    with pytest.raises(AudioError, match=r"cannot write .*choose a folder"):
        write_audio(tmp_path / "absent" / "out.wav", np.zeros(10, dtype=np.float32))
    assert list(tmp_path.iterdir()) == []


def test_failed_write_keeps_the_old_file(tmp_path):
    write_audio(tmp_path / "out.wav", np.ones(10, dtype=np.float32))
    before = (tmp_path / "out.wav").read_bytes()
    with pytest.raises(ValueError, match="finite"):
        write_audio(tmp_path / "out.wav", np.full(10, np.nan, dtype=np.float32))
    assert (tmp_path / "out.wav").read_bytes() == before


def test_measures():
    sine = tone(SAMPLE_RATE).astype(np.float32)
    assert seconds(sine) == 1.0
    assert loudness_dbfs(sine) == pytest.approx(-9.03, abs=0.01)
    assert not is_silent(sine)
    assert is_silent(np.zeros(100, dtype=np.float32)) and is_silent(np.zeros(0, dtype=np.float32))
    assert clipped_share(np.array([1.0, -1.0, 0.5, 0.0], dtype=np.float32)) == 0.5
