"""The figures of the second edition: what is drawn, what the codec is asked, what a table says."""

import re
from collections import Counter

import numpy as np
import pytest

from experiments.nano.data.corpus import Utterance
from experiments.nano.data.extra import store
from experiments.nano.second.corpus import Shards, hops
from experiments.nano.second.evaluate import evaluate_speaker, recordings, resynthesised
from llasa_core.codec.codec import Codec

RATE = 16_000
PITCHES = {"joe": 90.0, "ann": 210.0, "tim": 130.0}


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Buzzes of three pitches, in two styles; the shortest are too short to be measured."""
    times = np.arange(2 * RATE) / RATE
    rows = []
    for voice, hertz in PITCHES.items():
        for number in range(5):
            style = "neutral" if number < 3 else "sad"
            length = RATE if number == 0 else 2 * RATE
            partials = sum(
                np.sin(2 * np.pi * hertz * (1 + number / 200) * k * times) / k for k in range(1, 20)
            )
            samples = (3000 * partials[:length]).astype(np.int16)
            text = f"{voice} says number {number}"
            rows.append((Utterance(text, "example", voice, style, "unheard", 0, length), samples))
            rows.append((Utterance(f"again {text}", "example", voice, style, "test", 0, length), samples))
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "0000").mkdir()
    np.save(folder / "0000" / "pitch.npy", np.concatenate([np.full(hops(len(s)), 100.0) for _, s in rows]))
    store(folder / "0000", rows)
    return Shards(folder)


def test_recordings_are_long_enough_and_even_over_the_styles(shards):
    clips = recordings(shards, "test", 8, seed=3)
    assert Counter(clip.style for clip in clips) == {"neutral": 4, "sad": 4}
    assert all(clip.text.startswith("again") and len(clip.samples) == 2 * RATE for clip in clips)
    assert [clip.text for clip in clips] == [clip.text for clip in recordings(shards, "test", 8, seed=3)]


def test_the_codec_is_asked_and_lengths_stay(shards):
    codec = Codec.from_source("nano/codec")
    waves = [shards.samples(i) for i in range(18)]
    again = resynthesised(codec, waves)
    assert [len(wave) for wave in again] == [len(wave) for wave in waves]
    (alone,) = codec.decode([codec.encode(waves[17])])
    np.testing.assert_allclose(again[17], alone[: len(waves[17])], atol=1e-4)


def test_buzzes_of_other_pitches_are_told_apart(shards):
    said = evaluate_speaker(shards, Codec.from_source("nano/codec"), "wavlm-sv:nano", 12, seed=1)
    (row,) = [line for line in said.splitlines() if line.startswith("| speakers never heard")]
    found = re.fullmatch(r"\| speakers never heard \| 12 \| 3 \| ([\d.]+) \[.*\] \| ([\d.]+) \[.*\] \|", row)
    assert found and float(found[1]) < 0.25
