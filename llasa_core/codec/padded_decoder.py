"""The decoder of X-codec2 over rows of different lengths in one batch, each row as if it were alone.

The modules are those of ``transformers`` (``Xcodec2Decoder``); what looks beyond a row's end is told where
that is: convolutions see zeros there as they do behind a shorter row, norms over time count a row's own
steps, attention is masked, and the overlap-add of the inverse Fourier transform leaves out the frames that
are not the row's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def decode_padded(model: Any, codes: Tensor, lengths: Tensor) -> Tensor:
    """Sound of rows of codes: float32 [rows, hop * time]; beyond ``hop * length`` a row holds nothing of use.

    ``model``: an ``Xcodec2Model``. ``codes``: int64 [rows, time], any code behind a row's end. ``lengths``:
    int64 [rows], at least 1. Nothing is waited for.
    """
    decoder = model.acoustic_decoder
    inside = torch.arange(codes.shape[1], device=codes.device) < lengths[:, None]
    own = inside[..., None].to(next(model.parameters()).dtype)
    hidden = decoder.fc(model.quantizer.from_codes(codes[..., None])) * own
    hidden = decoder.embed(hidden.transpose(1, 2)).transpose(1, 2) * own
    for block in decoder.prior_net:
        hidden = _residual(block, hidden, own)
    # positions are those of the heads, not of time: the same for every row (see Xcodec2Decoder)
    heads = torch.arange(decoder.num_attention_heads, device=codes.device)[None]
    rotation = decoder.rotary_emb(hidden, heads)
    for layer in decoder.layers:
        hidden = layer(hidden, position_embeddings=rotation, attention_mask=inside[:, None, None])
    hidden = hidden * own
    for block in decoder.post_net:
        hidden = _residual(block, hidden, own)
    return _sound(decoder.head, decoder.norm(hidden), inside)


def _residual(block: Any, hidden: Tensor, own: Tensor) -> Tensor:
    """An ``Xcodec2ResNetBlock`` on [rows, time, hidden] with zeros behind each row's end, which stay."""
    mask = own.transpose(1, 2)
    x = hidden.transpose(1, 2)
    x = block.conv1(block.activation1(_group_norm(block.norm1, x, mask)) * mask) * mask
    x = block.conv2(block.activation2(_group_norm(block.norm2, x, mask)) * mask) * mask
    return torch.add(hidden, x.transpose(1, 2))


def _group_norm(norm: Any, x: Tensor, mask: Tensor) -> Tensor:
    """``nn.GroupNorm`` of [rows, channels, time] over the steps where ``mask`` [rows, 1, time] is 1."""
    grouped = x.reshape(len(x), norm.num_groups, -1, x.shape[-1])
    counted = mask[:, None]
    count = counted.sum((2, 3), keepdim=True) * grouped.shape[2]
    mean = (grouped * counted).sum((2, 3), keepdim=True) / count
    centred = (grouped - mean) * counted
    variance = centred.square().sum((2, 3), keepdim=True) / count
    normed = (centred * torch.rsqrt(variance + norm.eps)).flatten(1, 2)
    weighted: Tensor = torch.addcmul(norm.bias[:, None], normed, norm.weight[:, None])
    return weighted


def _sound(head: Any, hidden: Tensor, inside: Tensor) -> Tensor:
    """``Xcodec2ISTFTHead`` of [rows, time, hidden], where a row's frames are those ``inside``: [rows, hop *
    time]."""
    frames = inside.shape[1]
    magnitude, phase = head.linear(hidden).float().chunk(2, dim=-1)
    spectrum = torch.polar(magnitude.exp().clamp(max=1e2), phase)
    pieces = torch.fft.irfft(spectrum, head.n_fft, dim=-1, norm="backward") * head.window
    counted = inside[..., None].to(pieces.dtype)
    # of windows that lie on top of each other only those count that the row has: its end is like that of a
    # shorter row
    weights = head.window.square() * counted
    both = torch.cat([pieces * counted, weights]).transpose(1, 2)
    added = F.fold(
        both,
        output_size=(1, (frames - 1) * head.hop_length + head.n_fft),
        kernel_size=(1, head.n_fft),
        stride=(1, head.hop_length),
    )[:, 0, 0, head.padding : -head.padding]
    audio, envelope = added.chunk(2)
    sound: Tensor = audio / envelope.clamp(min=1e-11)
    return sound
