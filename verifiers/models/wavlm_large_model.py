"""WavLM with an ECAPA-TDNN head, as speaker verification was fine-tuned in UniSpeech. Imports torch.

Sources: WavLM (arXiv 2110.13900), ECAPA-TDNN (arXiv 2005.07143), Res2Net (arXiv 1904.01169), squeeze and
excitation (arXiv 1709.01507), attentive statistics pooling (arXiv 1803.10963). Names of modules are those of
the released file.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

BACKBONE = "feature_extract.model."
"""Prefix of WavLM's weights in the file."""
STRIDES = (5, 2, 2, 2, 2, 2, 2)
"""Of WavLM's convolutions. Like the largest distance, no weight has it as a size."""
MAX_DISTANCE = 800
DILATIONS = (2, 3, 4)

_FILE_NAMES = (
    (r"feature_extractor\.conv_layers\.(\d+)\.conv\.", r"feature_extractor.conv_layers.\1.0."),
    (r"feature_extractor\.conv_layers\.(\d+)\.layer_norm\.", r"feature_extractor.conv_layers.\1.2.1."),
    (r"feature_projection\.layer_norm\.", "layer_norm."),
    (r"feature_projection\.projection\.", "post_extract_proj."),
    (r"masked_spec_embed", "mask_emb"),
    (r"encoder\.pos_conv_embed\.conv\.bias", "encoder.pos_conv.0.bias"),
    (r"encoder\.pos_conv_embed\.conv\.parametrizations\.weight\.original0", "encoder.pos_conv.0.weight_g"),
    (r"encoder\.pos_conv_embed\.conv\.parametrizations\.weight\.original1", "encoder.pos_conv.0.weight_v"),
    (r"(encoder\.layers\.\d+)\.layer_norm\.", r"\1.self_attn_layer_norm."),
    (r"(encoder\.layers\.\d+)\.attention\.gru_rel_pos_linear\.", r"\1.self_attn.grep_linear."),
    (r"(encoder\.layers\.\d+)\.attention\.gru_rel_pos_const", r"\1.self_attn.grep_a"),
    (r"(encoder\.layers\.\d+)\.attention\.rel_attn_embed\.", r"\1.self_attn.relative_attention_bias."),
    (r"(encoder\.layers\.\d+)\.attention\.", r"\1.self_attn."),
    (r"(encoder\.layers\.\d+)\.feed_forward\.intermediate_dense\.", r"\1.fc1."),
    (r"(encoder\.layers\.\d+)\.feed_forward\.output_dense\.", r"\1.fc2."),
)
"""From the names of `transformers.WavLMModel` to those of the file; what none begins like has the same
name."""


def file_name(name: str) -> str:
    """The name in the file of a weight of `SpeakerModel`."""
    if not name.startswith("wavlm."):
        return name
    inner = name.removeprefix("wavlm.")
    for pattern, replacement in _FILE_NAMES:
        if match := re.match(pattern, inner):
            return BACKBONE + match.expand(replacement) + inner[match.end() :]
    return BACKBONE + inner


@dataclass(frozen=True, slots=True)
class HeadSizes:
    """channels: of the blocks. scale: groups of a Res2 block. wide: channels that are pooled."""

    channels: int
    scale: int
    squeezed: int
    wide: int
    attention: int
    embedding: int


def sizes(shapes: Mapping[str, Sequence[int]]) -> tuple[dict[str, Any], HeadSizes]:
    """Arguments of `WavLMConfig` and sizes of the head, from the shapes of the weights by their names in the
    file.

    The file holds no configuration. What no shape tells is as in WavLM-large: strides, the largest distance
    of relative positions, layer norm in the convolutions and before each block, GELU. Raises KeyError for a
    weight that is not there, ValueError or ZeroDivisionError for shapes that no model has.
    """

    def of(name: str) -> Sequence[int]:
        return shapes[BACKBONE + name]

    (width,) = of("encoder.layer_norm.weight")
    buckets, heads = of("encoder.layers.0.self_attn.relative_attention_bias.weight")
    convolutions = [of(f"feature_extractor.conv_layers.{number}.0.weight") for number in range(len(STRIDES))]
    _, grouped, span = of("encoder.pos_conv.0.weight_v")
    numbers = [re.match(re.escape(BACKBONE) + r"encoder\.layers\.(\d+)\.", name) for name in shapes]
    channels = shapes["layer1.conv.weight"][0]
    config = {
        "hidden_size": width,
        "num_hidden_layers": 1 + max(int(match[1]) for match in numbers if match),
        "num_attention_heads": heads,
        "intermediate_size": of("encoder.layers.0.fc1.weight")[0],
        "conv_dim": [outputs for outputs, _, _ in convolutions],
        "conv_kernel": [kernel for _, _, kernel in convolutions],
        "conv_stride": list(STRIDES),
        "num_feat_extract_layers": len(STRIDES),
        "conv_bias": BACKBONE + "feature_extractor.conv_layers.0.0.bias" in shapes,
        "num_conv_pos_embeddings": span,
        "num_conv_pos_embedding_groups": width // grouped,
        "num_buckets": buckets,
        "max_bucket_distance": MAX_DISTANCE,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
    }
    head = HeadSizes(
        channels=channels,
        scale=channels // shapes["layer2.Res2Conv1dReluBn.convs.0.weight"][0],
        squeezed=shapes["layer2.SE_Connect.linear1.weight"][0],
        wide=shapes["conv.weight"][0],
        attention=shapes["pooling.linear1.weight"][0],
        embedding=shapes["linear.weight"][0],
    )
    return config, head


class ConvReluNorm(nn.Module):
    """Convolution, ReLU, batch norm; [rows, channels, frames] -> as many frames. kernel: odd."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding=padding, dilation=dilation)
        self.bn = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.bn(self.conv(x).relu())
        return normed


class Res2(nn.Module):
    """Groups of channels, each convolved together with the outcome of the group before; the last one
    stays."""

    def __init__(self, channels: int, scale: int, kernel: int, dilation: int) -> None:
        super().__init__()
        width, padding = channels // scale, dilation * (kernel // 2)
        self.scale = scale
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, kernel, padding=padding, dilation=dilation) for _ in range(scale - 1)
        )
        self.bns = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(scale - 1))

    def forward(self, x: Tensor) -> Tensor:
        *groups, untouched = x.chunk(self.scale, dim=1)
        outcomes: list[Tensor] = []
        for group, conv, norm in zip(groups, self.convs, self.bns, strict=True):
            together = group + outcomes[-1] if outcomes else group
            outcomes.append(norm(conv(together).relu()))
        return torch.cat([*outcomes, untouched], dim=1)


class Squeeze(nn.Module):
    """Scales each channel by what its mean over time, beside those of the others, says."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(channels, squeezed)
        self.linear2 = nn.Linear(squeezed, channels)

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.linear2(self.linear1(x.mean(-1)).relu()).sigmoid()
        return x * gate[..., None]


class Block(nn.Module):
    """SE-Res2Block: 1x1, Res2, 1x1, squeeze and excitation, and the input again."""

    def __init__(self, head: HeadSizes, dilation: int) -> None:
        super().__init__()
        self.Conv1dReluBn1 = ConvReluNorm(head.channels, head.channels, 1)
        self.Res2Conv1dReluBn = Res2(head.channels, head.scale, 3, dilation)
        self.Conv1dReluBn2 = ConvReluNorm(head.channels, head.channels, 1)
        self.SE_Connect = Squeeze(head.channels, head.squeezed)

    def forward(self, x: Tensor) -> Tensor:
        y = self.Conv1dReluBn2(self.Res2Conv1dReluBn(self.Conv1dReluBn1(x)))
        scaled: Tensor = self.SE_Connect(y)
        return x + scaled


class AttentivePooling(nn.Module):
    """Mean and deviation over time with weights by attention: [rows, channels, frames] -> [rows, 2 *
    channels]."""

    def __init__(self, channels: int, attention: int) -> None:
        super().__init__()
        self.linear1 = nn.Conv1d(channels, attention, 1)
        self.linear2 = nn.Conv1d(attention, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.linear2(self.linear1(x).tanh()).softmax(-1)
        mean = (weights * x).sum(-1)
        variance = (weights * x.square()).sum(-1) - mean.square()
        return torch.cat([mean, variance.clamp(min=1e-9).sqrt()], dim=1)


class SpeakerModel(nn.Module):
    """Embeddings [rows, embedding] of waveforms [rows, samples] at 16 kHz, all of one length, over 400
    samples."""

    def __init__(self, config: Any, head: HeadSizes) -> None:
        """config: WavLMConfig."""
        from transformers import WavLMModel

        super().__init__()
        self.wavlm = WavLMModel(config)
        self.feature_weight = nn.Parameter(torch.zeros(config.num_hidden_layers + 1))
        self.layer1 = ConvReluNorm(config.hidden_size, head.channels, 5)
        self.layer2, self.layer3, self.layer4 = (Block(head, dilation) for dilation in DILATIONS)
        self.conv = nn.Conv1d(len(DILATIONS) * head.channels, head.wide, 1)
        self.pooling = AttentivePooling(head.wide, head.attention)
        self.bn = nn.BatchNorm1d(2 * head.wide)
        self.linear = nn.Linear(2 * head.wide, head.embedding)

    def features(self, waveforms: Tensor) -> Tensor:
        """[rows, width, frames]: WavLM's states, weighted by layer, each channel normalised over time."""
        return _over_time(self._states(F.layer_norm(waveforms, waveforms.shape[-1:])))

    def _states(self, normed: Tensor, mask: Tensor | None = None) -> Tensor:
        """[rows, frames, width], of waveforms [rows, samples] with a mask of the samples that are audio."""
        output = self.wavlm(normed, attention_mask=mask, output_hidden_states=True)
        # The last hidden state comes before the final layer norm, the one that was trained on behind it.
        states = (*output.hidden_states[:-1], output.last_hidden_state)
        weights = self.feature_weight.softmax(-1)
        mixed = torch.zeros_like(states[0])
        for weight, state in zip(weights, states, strict=True):
            mixed = mixed + weight * state
        return mixed

    def forward(self, waveforms: Tensor) -> Tensor:
        return self._head(self.features(waveforms))

    def padded(self, waveforms: Sequence[Tensor]) -> Tensor:
        """As `forward`, of waveforms [samples] of any lengths: the backbone takes them padded, with a mask,
        the head, which would hear the padding, one by one."""
        lengths = torch.tensor([len(waveform) for waveform in waveforms])
        frames = self.wavlm._get_feat_extract_output_lengths(lengths).tolist()
        normed = [F.layer_norm(waveform, waveform.shape) for waveform in waveforms]
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        with warnings.catch_warnings():
            # of torch, about the types of the masks that transformers gives it
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
            states = self._states(pad_sequence(normed, batch_first=True), mask.to(waveforms[0].device))
        rows = [self._head(_over_time(own[None, :count])) for own, count in zip(states, frames, strict=True)]
        return torch.cat(rows)

    def _head(self, features: Tensor) -> Tensor:
        first = self.layer1(features)
        second = self.layer2(first)
        third = self.layer3(second)
        fourth = self.layer4(third)
        wide = self.conv(torch.cat([second, third, fourth], dim=1)).relu()
        embedding: Tensor = self.linear(self.bn(self.pooling(wide)))
        return embedding


def _over_time(states: Tensor) -> Tensor:
    """[rows, width, frames] of [rows, frames, width]: each channel normalised over all frames."""
    return F.instance_norm(states.transpose(1, 2) + 1e-6)
