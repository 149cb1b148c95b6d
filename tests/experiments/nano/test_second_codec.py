"""The parts of the second codec's training: each learns from a small corpus, and a kill changes nothing."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import whisper
from transformers import Xcodec2Model

from experiments.nano.data.corpus import store_alignment
from experiments.nano.second.acoustic import train_acoustic
from experiments.nano.second.codec import Banks, config, pitch_losses
from experiments.nano.second.corpus import Shards, hops
from experiments.nano.second.decoder import train_against, train_decoder
from experiments.nano.second.encode import encode_shards, shard_codes
from experiments.nano.second.encoder import (
    BANDS,
    HOPS,
    NOISE,
    Crops,
    Lesson,
    Readings,
    hidden,
    noisy,
    quantised,
    train_encoder,
)
from experiments.nano.second.listener import Listener, unlike
from experiments.nano.train.codec import build
from llasa_core.codec.codec import Codec
from llasa_core.codec.features import HOP, log_filter_banks, pad_to_hop, semantic_features
from tests.experiments.nano.small_corpus import STATES, build_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(2):
        part = build_corpus(folder / f"{number:04}", 6, seed=number, seconds=(4.2, 4.6))
        lengths = [hops(u.length) for u in part.utterances]
        np.save(part.folder / "pitch.npy", np.full(sum(lengths), 120.0, np.float32))
    shards = Shards(folder)
    places = [np.arange(hops(u.length)) for u in shards.utterances]
    store_alignment(shards.alignment, places, [place % STATES for place in places])
    return shards


@pytest.fixture(scope="module")
def listener():
    return Listener("nano")


@pytest.fixture(scope="module")
def banks(corpus):
    return Banks.of_corpus(corpus)


def test_banks_are_the_codecs_features_and_the_spectrum_before_them(corpus, banks):
    for index in (0, 11):
        padded = pad_to_hop(corpus.samples(index))
        crop = slice(int(banks.starts[index]), int(banks.starts[index + 1]))
        assert banks.hops(index) == hops(corpus.utterances[index].length)
        assert np.abs(banks.features[crop] - semantic_features(padded)).max() < 4e-3
        louder = log_filter_banks(padded * np.float32(10 ** (6 / 20))).reshape(-1, 160)
        heard = banks.spectrum(index, crop, 6.0) * 4 + 9
        assert np.abs(heard - np.maximum(louder, 0)).max() < 0.1


def test_the_losses_of_pitch_are_octaves_where_it_is_voiced():
    told = pitch_losses(torch.tensor([[9.0, -9.0]]), torch.tensor([[1.5, 7.0]]), torch.tensor([[300.0, 0.0]]))
    assert told["octaves"].item() == pytest.approx(0.5)
    assert told["voicing"].item() < 1e-3


def test_the_numbers_that_are_quantised_are_pulled_to_where_all_codes_are_used():
    model = build(0, config())
    features, acoustic = torch.randn(2, 16, 160), torch.randn(2, 16, 320) * 0.1
    with torch.no_grad():  # what a training without the pull ended in: one sign for every number
        model.quantizer.project_in.bias.fill_(40.0)
    optimizer = torch.optim.Adam(model.quantizer.project_in.parameters(), 1.0)
    told = []
    for _ in range(60):
        optimizer.zero_grad()
        latents, codes, spread = quantised(model, features, acoustic)
        told.append((codes.unique().numel() / codes.numel(), spread.item()))
        spread.backward()
        optimizer.step()
    assert latents.shape == (2, 16, 512)
    assert told[0][0] == 1 / 32 and told[0][1] > 1000
    assert told[-1][0] > 0.2 and told[-1][1] < 5


def test_pitch_sounds_and_speaker_are_learnt_off_the_latents():
    torch.manual_seed(0)
    readings = Readings(8, 5, 2, 4)
    pitch = torch.tensor([[0.0, 100, 150, 300] * 8] * 2)
    latents = torch.nn.functional.one_hot(torch.arange(4).repeat(2, 8), 8).float()
    latents[1, :, 5] = 1.0
    nothing = torch.zeros(2, 32, 160)
    states, speakers = torch.arange(4).repeat(2, 8), torch.tensor([0, 1])
    crops = Crops(nothing, nothing, nothing, states, pitch, speakers, latents[..., :4])
    optimizer = torch.optim.Adam(readings.parameters(), 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        told = readings(latents, crops)
        sum(told.values()).backward()
        optimizer.step()
    assert all(value < 0.15 for value in told.values())


@pytest.mark.slow
def test_crops_of_a_lesson_belong_together(corpus, banks, listener, tmp_path):
    model = build(0, config()).eval()
    lesson = Lesson.of(corpus, banks, model, listener, tmp_path, seed=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "acoustic-noisy.npy",
        "acoustic.npy",
        "listened.npy",
    ]
    crops = lesson.draw([7], 32, 4, np.random.default_rng(0))
    assert crops.features.shape == crops.spectrum.shape == (4, 32, 160)
    assert crops.acoustic.shape == (4, 32, 320) and crops.listened.shape == (4, 32, listener.width)
    assert (crops.states.diff() % STATES == 1).all() and (crops.pitch == 120).all()
    assert crops.speakers.tolist() == [lesson.speakers.index(corpus.utterances[7].voice)] * 4
    hop = slice(int(banks.starts[7]), int(banks.starts[8]))
    recorded, louder = lesson.versions
    assert np.array_equal(recorded.features, banks.features) and not recorded.gains.any()
    assert louder.gains.any() and not np.array_equal(louder.features[hop], banks.features[hop])
    # what is kept is what the encoder says of the waveform
    with torch.no_grad():
        told = model.acoustic_encoder(torch.from_numpy(pad_to_hop(corpus.samples(7)))[None, None])[0].mT
    assert np.abs(told.numpy() - recorded.acoustic[hop]).max() < 1e-2 * np.abs(told.numpy()).max()
    plain = lesson.draw([7], 32, 4, np.random.default_rng(0), hiding=False)
    assert all(
        any(torch.equal(row, torch.from_numpy(part)) for part in windows(banks, 7)) for row in plain.features
    )


def windows(banks, index):
    features = banks.features[banks.starts[index] : banks.starts[index + 1]].astype(np.float32)
    return [features[start : start + 32] for start in range(len(features) - 31)]


def test_noise_is_as_loud_as_asked_and_hidden_parts_are_bounded():
    generator = np.random.default_rng(0)
    wave = np.sin(np.arange(32_000) / 9).astype(np.float32)
    for _ in range(20):
        noise = noisy(wave, generator) - wave
        above = 10 * np.log10(np.mean(wave**2) / np.mean(noise**2))
        assert NOISE[0] - 0.1 < above < NOISE[1] + 0.1
        kept = hidden(np.ones((64, 160), np.float32), generator)
        assert (kept.reshape(64, 2, 80).max((0, 1)) == 0).sum() <= 2 * BANDS
        assert (kept.max(1) == 0).sum() <= 2 * HOPS


def test_the_listener_hears_what_whisper_hears_and_can_be_learnt_from(corpus, listener):
    model = listener._model
    wave = torch.from_numpy(pad_to_hop(corpus.samples(0)))[None]
    with torch.inference_mode():  # what a verifier leaves behind in Whisper's own caches
        whisper.log_mel_spectrogram(wave)
    assert torch.equal(listener._spectrum(wave), whisper.log_mel_spectrogram(wave))
    window = whisper.pad_or_trim(wave, model.dims.n_audio_ctx * HOP)
    told = listener(wave)
    assert told.shape == (1, wave.shape[1] // 320, model.dims.n_audio_state)
    with torch.no_grad():  # the released window, most of it silence: nearly the same
        whole = model.encoder(whisper.log_mel_spectrogram(window))[:, : told.shape[1]]
    other = listener(torch.from_numpy(pad_to_hop(corpus.samples(1)))[None])[:, : told.shape[1]]
    assert unlike(told, whole) < 0.5 * unlike(other[:, : whole.shape[1]], whole[:, : other.shape[1]])
    worse = (wave + 0.05 * torch.randn_like(wave)).requires_grad_()
    distance = unlike(listener(worse), told)
    distance.backward()
    assert unlike(told, told) == 0 < distance and worse.grad.abs().max() > 0
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.slow
def test_the_parts_one_after_the_other_make_a_codec(corpus, banks, listener, tmp_path):
    work = {name: tmp_path / name for name in ("acoustic", "encoder", "decoder", "adversary")}
    train_acoustic(corpus, banks, work["acoustic"], 2, 0)
    train_encoder(corpus, banks, work["acoustic"] / "model", listener, work["encoder"], 2, 0)
    encode_shards(corpus.folder, work["encoder"] / "model", tmp_path / "codes")
    codes = shard_codes(corpus, tmp_path / "codes")
    train_decoder(corpus, codes, work["encoder"] / "model", listener, work["decoder"], 2, 0)
    train_against(corpus, codes, work["decoder"] / "model", listener, work["adversary"], 2, 0)
    models = [Xcodec2Model.from_pretrained(path / "model").state_dict() for path in work.values()]
    changed = [
        {name.split(".")[0] for name in a if not torch.equal(a[name], b[name])} for a, b in pairwise(models)
    ]
    assert changed[0] == {"semantic_encoder", "semantic_adapter", "fc_encoder", "quantizer"}
    assert changed[1] == changed[2] == {"acoustic_decoder", "quantizer"}
    codec = Codec.from_source(str(work["adversary"] / "model"))
    assert codec.encode(corpus.samples(0)) == codes[0].tolist()
