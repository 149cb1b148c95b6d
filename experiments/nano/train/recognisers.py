"""What the trainings of both nano recognisers share: their mixture of speech, the letters' CTC and the
optimizers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from whisper.audio import mel_filters

from experiments.nano.data.corpus import Corpus
from experiments.nano.data.documents import IGNORE
from experiments.nano.train.listening import Clip
from experiments.nano.train.training import Muon

N_MELS = 80
LETTERS = "abcdefghijklmnopqrstuvwxyz'"
SHARES = (0.55, 0.30, 0.15)
"""Shares of the corpus, its resynthesis and the extra voices."""


def log_mel(waves: torch.Tensor) -> torch.Tensor:
    """[batch, samples] -> [batch, 80, samples / 160], each item as ``whisper.audio.log_mel_spectrogram`` has
    it.
    """
    stft = torch.stft(waves, 400, 160, window=torch.hann_window(400), return_complex=True)
    power = stft[..., :-1].real.square() + stft[..., :-1].imag.square()
    log = torch.clamp(mel_filters("cpu", N_MELS) @ power, min=1e-10).log10()
    log = torch.maximum(log, log.amax((1, 2), keepdim=True) - 8.0)
    return (log + 4.0) / 4.0


def characters(texts: Sequence[str], first: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(all targets in a row, their counts) for CTC: letters from ``first + 1`` on, ``first`` between
    words.
    """
    numbers = {letter: first + 1 + k for k, letter in enumerate(LETTERS)} | {" ": first}
    return torch.tensor([numbers[c] for t in texts for c in t]), torch.tensor([len(t) for t in texts])


def ctc_loss(logits: torch.Tensor, lengths: torch.Tensor, texts: Sequence[str], first: int) -> torch.Tensor:
    """Mean CTC loss a character of logits [batch, frames, symbols]; symbol 0 is the blank."""
    targets, counts = characters(texts, first)
    log_probs = logits.float().log_softmax(-1).transpose(0, 1)
    return F.ctc_loss(log_probs, targets, lengths, counts, zero_infinity=True)


def sound_loss(logits: torch.Tensor, clips: Sequence[Clip]) -> torch.Tensor:
    """Cross-entropy of the sound spoken in each 20 ms, of logits [batch, frames, states]; where it is known.

    As in HuBERT's own training (arXiv 2106.07447), here with aligned phonemes: it teaches an encoder to hear
    long before the letters' CTC would.
    """
    states = torch.full(logits.shape[:2], IGNORE)
    for row, clip in zip(states, clips, strict=True):
        known = torch.from_numpy(clip.states[: len(row)])
        row[: len(known)] = known
    return F.cross_entropy(logits.float().flatten(0, 1), states.flatten(), ignore_index=IGNORE)


def optimizers(
    modules: Sequence[torch.nn.Module], muon: float = 4e-3, adam: float = 2e-3
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for all other parameters."""
    named = [(name, p) for module in modules for name, p in module.named_parameters() if p.requires_grad]
    in_layers = [p for name, p in named if p.ndim == 2 and ("blocks." in name or "encoder.layers." in name)]
    chosen = {id(p) for p in in_layers}
    others = [p for _, p in named if id(p) not in chosen]
    return [
        Muon(in_layers, muon, 0.02),
        torch.optim.AdamW(others, adam, (0.9, 0.98), weight_decay=0.01, fused=True),
    ]


def mixture(corpus: Corpus, resynthesis: Corpus | None, extra: Corpus | None) -> list[tuple[Corpus, float]]:
    """Those that are given, with their shares."""
    candidates = zip((corpus, resynthesis, extra), SHARES, strict=True)
    return [(source, share) for source, share in candidates if source is not None]
