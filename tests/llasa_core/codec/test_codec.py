import numpy as np
import pytest
import torch

from llasa_core.codec.codec import Codec
from llasa_core.codec.features import HOP, pad_to_hop, semantic_features
from llasa_core.codec.padded_decoder import decode_padded
from llasa_core.errors import UserError
from tests.llasa_core.lm.recorder import record


def speech(samples: int) -> np.ndarray:
    time = np.arange(samples) / 16_000
    noise = np.random.default_rng(1).normal(size=samples)
    return (0.2 * np.sin(2 * np.pi * (200 + 300 * time) * time) + 0.02 * noise).astype(np.float32)


def test_encode_equals_transformers(codec):
    waveform = speech(12_345)
    padded = pad_to_hop(waveform)
    with torch.no_grad():
        output = codec.model(
            torch.from_numpy(padded)[None, None],
            input_features=torch.from_numpy(semantic_features(padded))[None],
        )
    codes = codec.encode(waveform)
    assert codes == output.audio_codes[0, 0].tolist()
    assert len(codes) == 12_345 // HOP + 1 and len(set(codes)) > 3
    assert codec.encode(waveform) == codes
    np.testing.assert_allclose(codec.decode([codes])[0], output.audio_values[0, 0].numpy(), atol=1e-5)


def test_ragged_batch_equals_one_at_a_time(codec):
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 1024, length).tolist() for length in (7, 30, 7, 1, 30, 7, 55)]
    together = codec.decode([*rows, []])
    assert together[-1].shape == (0,)
    for row, waveform in zip(rows, together, strict=False):
        assert waveform.dtype == np.float32 and waveform.shape == (len(row) * HOP,)
        assert np.abs(waveform).max() > 1e-3
        np.testing.assert_allclose(waveform, codec.decode([row])[0], atol=1e-6)


def test_decoding_is_that_of_transformers(codec):
    """On its own code: rows of all lengths around a bucket's edges."""
    rng = np.random.default_rng(1)
    rows = [rng.integers(0, 1024, length).tolist() for length in (1, 2, 24, 25, 26, 49, 61)]
    for row, waveform in zip(rows, codec.decode(rows), strict=True):
        with torch.no_grad():
            expected = codec.model.decode(audio_codes=torch.tensor([[row]])).audio_values[0, 0]
        np.testing.assert_allclose(waveform, expected.numpy(), atol=2e-6)


def test_a_bucket_can_be_recorded_and_repeated_for_other_rows(codec):
    """Nothing that depends on a row's length is decided in Python: a CUDA graph could be made of it."""
    rng = np.random.default_rng(2)
    codes, lengths = torch.zeros(3, 25, dtype=torch.long), torch.ones(3, dtype=torch.long)
    audio = torch.zeros(3, 25 * HOP)
    with torch.inference_mode():
        repeat = record(lambda: audio.copy_(decode_padded(codec.model, codes, lengths)))
        for sizes in ((25, 3, 11), (2, 25, 24)):
            rows = [rng.integers(0, 1024, size).tolist() for size in sizes]
            for line, row in zip(codes, rows, strict=True):
                line[: len(row)] = torch.tensor(row)
            lengths.copy_(torch.tensor(sizes))
            repeat()
            for found, expected in zip(audio, codec.decode(rows), strict=True):
                np.testing.assert_allclose(found[: len(expected)].numpy(), expected, atol=1e-6)


def test_large_batches_are_cut(codec, monkeypatch):
    rows = np.random.default_rng(0).integers(0, 1024, (9, 20)).tolist()
    whole = codec.decode(rows)
    monkeypatch.setattr("llasa_core.codec.codec.MAX_BATCH_CODES", 50)
    for one, other in zip(whole, codec.decode(rows), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_context_is_decoded_in_front_and_cut_off(codec):
    rng = np.random.default_rng(0)
    context, row = rng.integers(0, 1024, 20).tolist(), rng.integers(0, 1024, 15).tolist()
    joined = codec.decode([context + row])[0]
    cut = codec.decode([row, []], context=context)
    np.testing.assert_allclose(cut[0], joined[20 * HOP :], atol=1e-6)
    assert cut[1].shape == (0,)
    assert np.abs(cut[0] - codec.decode([row])[0]).max() > 1e-4


def test_bad_codes_and_waveforms(codec):
    for rows, context in (([[1024]], []), ([[-1]], []), ([[1]], [2000])):
        with pytest.raises(ValueError, match=r"0\.\.1023"):
            codec.decode(rows, context)
    with pytest.raises(ValueError, match="finite"):
        codec.encode(np.full(400, np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match="one-dimensional"):
        codec.encode(np.zeros((2, 400), dtype=np.float32))


def test_another_hop_is_refused(codec, monkeypatch):
    monkeypatch.setattr(codec.model.config, "sampling_rate", 24_000)
    with pytest.raises(UserError, match="24000 Hz"):
        Codec(codec.model)


def test_float32_is_float32_on_a_gpu_and_the_callers_settings_stay(codec, monkeypatch):
    """By default cuDNN convolves in TF32."""
    seen = []

    def watched(work):
        def watching(*given, **more):
            seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
            return work(*given, **more)

        return watching

    assert torch.backends.cudnn.allow_tf32
    monkeypatch.setattr(codec.model, "encode", watched(codec.model.encode))
    first = codec.model.acoustic_decoder.fc
    monkeypatch.setattr(first, "forward", watched(first.forward))
    codec.decode([codec.encode(np.zeros(3200, np.float32))])
    assert len(seen) == 2 and set(seen) == {(False, False)}
    assert torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
