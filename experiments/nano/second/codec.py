"""The second codec: 16,384 codes, which are asked for the sounds, the pitch and the speaker as well as for
the spectrum. It is trained in three parts, each where it is cheap.

1. `acoustic`: the acoustic encoder learns to tell the absolute spectrum and the pitch from the waveform. It
   is small and slow (it works at 16 kHz), so it is frozen then, and its output is computed once.
2. `encoder`: the semantic encoder and the quantizer learn, at 50 vectors a second, which codes tell sounds,
   pitch, speaker, spectrum and what a released Whisper makes of the speech. No waveform is made, so a step
   sees five times the speech that it saw when all parts were trained together.
3. `decoder`: on frozen codes, first by spectral losses and by what the same Whisper makes of what is spoken,
   then against discriminators as well. Judge it by other ears.

16,384 = 4^7: fourteen bits for every 20 ms instead of ten, since there are many voices instead of five and
pitch is to be kept. With 4,096 codes, learnt from 8 hours, a recogniser that nobody trained here heard 0.12
[0.06, 0.20] more errors behind the codec in voices that it had not learnt, and 0.40 [0.23, 0.60] in human
speech (`evaluate --count 24 --seed 1 --ear whisper:tiny.en?window=10`, before the adversary).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from rich.progress import track
from transformers import Wav2Vec2BertConfig, Xcodec2Config

from experiments.nano.second.corpus import Shards
from experiments.nano.train import codec as first
from llasa_core.audio import Waveform
from llasa_core.codec.features import log_filter_banks, pad_to_hop

LOUDER = float(np.log(10) / 10)
"""Of a filter bank, for each dB: its values are logarithms of energies."""
QUIET, MIDDLE, SPREAD = 0.0, 9.0, 4.0
"""Log energies (of samples in the range of 16 bits) below QUIET are not told apart; with MIDDLE and SPREAD
those of speech have some mean 0 and deviation 1."""
MIDDLE_HZ = 150.0
LEVELS = (4,) * 7
"""Of each number that is quantised."""
CODES = math.prod(LEVELS)


def config() -> Xcodec2Config:
    """9.5M parameters: a wider acoustic and semantic encoder and a wider decoder than the first codec's."""
    semantic = first.config().semantic_model_config.to_dict()
    semantic |= {"hidden_size": 192, "num_hidden_layers": 3, "intermediate_size": 384}
    semantic["conformer_conv_dropout"] = 0.0
    return Xcodec2Config(
        hidden_size=320,
        intermediate_size=1024,
        num_hidden_layers=3,
        num_attention_heads=5,
        num_key_value_heads=5,
        head_dim=64,
        encoder_hidden_size=8,
        downsampling_ratios=(8, 8, 5),
        quantization_dim=320 + 192,
        quantization_levels=list(LEVELS),
        activation_dropout=0.0,
        semantic_model_config=Wav2Vec2BertConfig(**semantic),
    )


@dataclass(frozen=True)
class Banks:
    """Filter banks of a corpus: ``features`` [hops in all, 160] as the semantic encoder takes them, in half
    precision, and by how much they were shifted and scaled, ``mean`` and ``deviation`` [utterances, 80].
    ``starts``: the first hop of each utterance, and the end.
    """

    features: NDArray[np.float16]
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, waves: Iterable[Waveform]) -> Banks:
        """Of utterances in whole hops. Computed anew: two hours take a quarter of a minute."""
        features, means, deviations = [], [], []
        for wave in waves:
            frames = log_filter_banks(wave)
            mean, deviation = frames.mean(0), np.sqrt(frames.var(0, ddof=1) + 1e-7)
            features.append(((frames - mean) / deviation).reshape(-1, 160).astype(np.float16))
            means.append(mean)
            deviations.append(deviation)
        starts = np.cumsum([0, *map(len, features)])
        return cls(np.concatenate(features), np.stack(means), np.stack(deviations), starts)

    def spectrum(self, index: int, crop: slice, gain: float) -> NDArray[np.float32]:
        """The absolute spectrum [hops, 160] of a crop that is ``gain`` dB louder than the recording."""
        frames = self.features[crop].astype(np.float32).reshape(-1, 80)
        energies = frames * self.deviation[index] + self.mean[index] + np.float32(LOUDER * gain)
        shaped: NDArray[np.float32] = (np.maximum(energies, QUIET) - MIDDLE).reshape(-1, 160) / SPREAD
        return shaped

    @classmethod
    def of_corpus(cls, corpus: Shards) -> Banks:
        """Of a corpus as it was recorded."""
        return cls.of(pad_to_hop(corpus.samples(index)) for index in range(len(corpus)))

    def hops(self, index: int) -> int:
        """Codes of an utterance."""
        return int(self.starts[index + 1] - self.starts[index])


def outputs(
    model: Callable[[torch.Tensor], torch.Tensor],
    waves: Iterable[Waveform],
    shape: tuple[int, int],
    path: Path,
) -> NDArray[np.float16]:
    """What a model says of waveforms, one after the other: ``shape``, [hops in all, width]; computed once and
    kept on disk at ``path``. model: [1, samples] -> [hops, width]."""
    if not path.exists():
        part = path.with_suffix(".tmp.npy")
        out = np.lib.format.open_memmap(part, "w+", np.float16, shape)
        start = 0
        with torch.no_grad():
            for wave in track(waves, path.stem):
                told = model(torch.from_numpy(wave)[None])
                out[start : start + len(told)] = told.numpy()
                start += len(told)
        out.flush()
        part.rename(path)
    found: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return found


def pitch_losses(
    voicing: torch.Tensor, octaves: torch.Tensor, pitch: torch.Tensor
) -> dict[str, torch.Tensor]:
    """How wrong a reading of the pitch is; all [batch, hops].

    ``voicing`` in logits, ``octaves`` above 150 Hz, ``pitch`` in Hz and 0 where nothing is voiced.
    """
    voiced = pitch > 0
    wanted = torch.log2(pitch.clamp_min(30) / MIDDLE_HZ)
    off = (octaves - wanted).abs()[voiced].mean() if voiced.any() else octaves.new_zeros(())
    return {"voicing": F.binary_cross_entropy_with_logits(voicing, voiced.float()), "octaves": off}
