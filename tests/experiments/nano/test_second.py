"""The second edition: what is held out, shards as one corpus, pitch as asked, a still adversary."""

import itertools

import numpy as np
import pytest
import torch

from experiments.nano.data.corpus import Utterance
from experiments.nano.data.extra import store
from experiments.nano.second import texts, voices
from experiments.nano.second.adversary import Discriminators, deceived, told_apart
from experiments.nano.second.corpus import Shards, hops, plan, shards_of

RATE = 16_000


def test_three_hundred_whole_sentences_are_held_out():
    sentences = texts.held_out()
    assert len(set(sentences)) == texts.N_HELD_OUT
    for sentence in sentences:
        assert 5 <= len(sentence.split()) <= 20
        assert texts.sayable(sentence, "example") == texts.Text(sentence, sentence, "example")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("He paid $3 for it, didn't he?", "he paid three dollars for it didn't he"),
        ("one two", None),
        ("the xqzt is here", None),
    ],
)
def test_a_text_is_kept_when_it_can_be_said(written, text):
    found = texts.sayable(written, "example")
    assert (found.text if found else None) == text


@pytest.mark.slow
@pytest.mark.skipif(not texts.WORDNET.exists(), reason="needs wordnet-base")
def test_no_training_text_is_near_a_held_out_sentence():
    near = set().union(*(texts.runs(sentence) for sentence in texts.held_out()))
    written = texts.write(3000, 5)
    assert len(written) == 3000
    assert all(near.isdisjoint(texts.runs(t.text)) for t in written)


def test_every_voice_is_three_speakers_and_whole_voices_are_held_out():
    assert set(voices.UNHEARD) < set(voices.BASES) and len(set(voices.BASES)) == len(voices.BASES)
    assert len(voices.HELD_OUT) >= 8 and len(voices.VOICES) - len(voices.HELD_OUT) >= 40
    reading = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)
    lengths = [len(voices.play(reading, voice, "neutral")) for voice in voices.SPEAKERS["af_sky"]]
    assert [lengths[0] / length for length in lengths] == pytest.approx([1.0, 0.88, 1.13], abs=0.02)
    assert len(voices.SPEAKERS["af_sky"]) == 3 and voices.group("af_sky-") == "af-"


@pytest.mark.skipif(not texts.WORDNET.exists(), reason="needs wordnet-base")
def test_no_model_learns_from_a_voice_that_is_held_out():
    jobs = plan(3, 2000)
    assert {job.base for job in jobs if job.split == "unheard"} == set(voices.UNHEARD)
    assert {job.base for job in jobs if job.split != "unheard"} == set(voices.BASES) - set(voices.UNHEARD)


@pytest.fixture
def shards(tmp_path):
    generator = np.random.default_rng(0)
    for number in range(2):
        folder = tmp_path / f"{number:04}"
        rows = []
        for k in range(3):
            samples = generator.integers(-9, 9, 3000 + 700 * k + number).astype(np.int16)
            rows.append(
                (Utterance(f"text {number} {k}", "example", "joe1", "sad", "train", 0, len(samples)), samples)
            )
        folder.mkdir()
        np.save(
            folder / "pitch.npy",
            np.concatenate([np.full(hops(len(s)), 100.0 * k + number) for k, (_, s) in enumerate(rows)]),
        )
        store(folder, rows)
    return Shards(tmp_path)


def test_shards_are_one_corpus(shards):
    assert [u.text for u in shards.utterances] == [
        f"text {n} {k}" for n, k in itertools.product(range(2), range(3))
    ]
    for index, u in enumerate(shards.utterances):
        number, k = divmod(index, 3)
        assert len(shards.samples(index)) == u.length == 3000 + 700 * k + number
        assert shards.pitch(index).tolist() == [100.0 * k + number] * hops(u.length)
    assert shards_of(shards.folder, 0.5 / 3600) == 1 and shards_of(shards.folder, 1) == 2


def test_the_pitch_of_a_buzz():
    pytest.importorskip("pyreaper")
    from scipy.signal import lfilter

    from experiments.nano.second import pitch

    pulses = np.zeros(2 * RATE)
    pulses[:: RATE // 125] = 1.0  # a voice at 125 Hz with one formant at 700 Hz
    angle = 2 * np.pi * 700 / RATE
    wave = lfilter([1.0], [1, -2 * 0.97 * np.cos(angle), 0.97**2], pulses)
    heard = pitch.contour(wave, RATE, hops(len(wave)))
    assert len(heard) == hops(len(wave))
    assert np.median(heard[heard > 0]) == pytest.approx(125, rel=0.03)


def test_the_decoders_losses_leave_the_discriminators_alone():
    torch.manual_seed(0)
    judges, real = Discriminators(), torch.randn(2, 4000) * 0.1
    made = (torch.randn(2, 4000) * 0.1).requires_grad_()
    frozen = {name: p.detach() for name, p in judges.named_parameters()}
    with torch.no_grad():
        heard = judges(real)
    fooled, matching = deceived(heard, torch.func.functional_call(judges, frozen, (made,)))
    (fooled + matching).backward()
    assert made.grad.abs().sum() > 0
    assert all(p.grad is None for p in judges.parameters())
    told_apart(judges(real), judges(made.detach())).backward()
    assert all(p.grad is not None for p in judges.parameters())
