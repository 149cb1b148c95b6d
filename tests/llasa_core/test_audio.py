import os
import stat

import numpy as np
import pytest
import soundfile

from llasa_core.audio import (
    SAMPLE_RATE,
    AudioError,
    clipped_share,
    is_silent,
    loudness_dbfs,
    read_audio,
    seconds,
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
