"""The embedding of `wavlm_large_finetune.pth` once more, step by step in float64 from the tensors of the
file.

Nothing of the project or of transformers is used, and no module of torch: normalisations, attention, relative
positions, pooling are written out as the papers have them (arXiv 2110.13900, 2005.07143). It is slow, and
only meant for comparing.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import conv1d

STRIDES = (5, 2, 2, 2, 2, 2, 2)


class Weights:
    """Tensors by name under a prefix, in float64."""

    def __init__(self, state: Mapping[str, Tensor], prefix: str = "") -> None:
        self.state, self.prefix = state, prefix

    def __call__(self, name: str) -> Tensor:
        return self.state[self.prefix + name].double()

    def under(self, name: str) -> "Weights":
        return Weights(self.state, f"{self.prefix}{name}.")


def embedding(state: Mapping[str, Tensor], samples: Tensor) -> Tensor:
    """[size] of float [samples]."""
    return head(state, mixed_states(state, samples))


def mixed_states(state: Mapping[str, Tensor], samples: Tensor) -> Tensor:
    """[width, frames]: the softmax-weighted sum of the states, each channel with mean 0 and deviation 1."""
    states = wavlm(Weights(state, "feature_extract.model."), samples.double())
    powers = state["feature_weight"].double().exp()
    assert len(states) == len(powers)
    mixed = sum(power / powers.sum() * layer for power, layer in zip(powers, states, strict=True))
    assert isinstance(mixed, Tensor)
    channels = mixed.T + 1e-6
    centred = channels - channels.mean(1, keepdim=True)
    return centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()


def wavlm(w: Weights, samples: Tensor) -> list[Tensor]:
    """The input of each layer and the normalised output of the last: [frames, width] each."""
    x = (samples - samples.mean()) / (samples.var(correction=0) + 1e-5).sqrt()
    x = x[None]
    for number, stride in enumerate(STRIDES):
        layer = w.under(f"feature_extractor.conv_layers.{number}")
        x = conv1d(x[None], layer("0.weight"), stride=stride)[0]
        x = gelu(layer_norm(x.T, layer.under("2.1")).T)
    x = layer_norm(x.T, w.under("layer_norm")) @ w("post_extract_proj.weight").T + w("post_extract_proj.bias")
    x = x + positions(x, w.under("encoder.pos_conv.0"))
    bias = w("encoder.layers.0.self_attn.relative_attention_bias.weight")
    between = bias[buckets(len(x), len(bias))].permute(2, 0, 1)
    states = [x]
    number = 0
    while f"{w.prefix}encoder.layers.{number}.fc1.weight" in w.state:
        layer = w.under(f"encoder.layers.{number}")
        x = x + attention(
            layer_norm(x, layer.under("self_attn_layer_norm")), between, layer.under("self_attn")
        )
        y = layer_norm(x, layer.under("final_layer_norm")) @ layer("fc1.weight").T + layer("fc1.bias")
        x = x + gelu(y) @ layer("fc2.weight").T + layer("fc2.bias")
        states.append(x)
        number += 1
    states[-1] = layer_norm(states[-1], w.under("encoder.layer_norm"))
    return states


def positions(x: Tensor, w: Weights) -> Tensor:
    """Grouped convolution over time with weight norm for each tap: [frames, width] -> the same."""
    direction = w("weight_v")
    width, grouped, span = direction.shape
    length = direction.square().sum((0, 1), keepdim=True).sqrt()
    weight = w("weight_g") * direction / length
    y = conv1d(x.T[None], weight, w("bias"), padding=span // 2, groups=width // grouped)[0]
    return gelu(y[:, : len(x)]).T


def buckets(frames: int, count: int) -> Tensor:
    """[query, key]: the bucket of the distance; half of them for keys that lie behind the query."""
    half, exact = count // 2, count // 4
    table = torch.zeros(frames, frames, dtype=torch.long)
    for query in range(frames):
        for key in range(frames):
            distance = abs(key - query)
            if distance >= exact:
                far = exact + math.log(distance / exact) / math.log(800 / exact) * (half - exact)
                distance = min(int(far), half - 1)
            table[query, key] = distance + (half if key > query else 0)
    return table


def attention(x: Tensor, between: Tensor, w: Weights) -> Tensor:
    """Gated relative position bias: x [frames, width], between [heads, query, key]."""
    heads = between.shape[0]
    size = x.shape[1] // heads
    outcomes = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        q, k, v = (
            x @ w(f"{name}_proj.weight")[part].T + w(f"{name}_proj.bias")[part] for name in ("q", "k", "v")
        )
        gates = x[:, part] @ w("grep_linear.weight").T + w("grep_linear.bias")
        update, reset = sigmoid(gates[:, :4].sum(1)), sigmoid(gates[:, 4:].sum(1))
        gate = update * (reset * w("grep_a")[0, head, 0, 0] - 1) + 2
        outcomes.append(softmax(q @ k.T / math.sqrt(size) + gate[:, None] * between[head]) @ v)
    return torch.cat(outcomes, 1) @ w("out_proj.weight").T + w("out_proj.bias")


def head(state: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """[size] of [width, frames]."""
    w = Weights(state)
    x = conv_relu_norm(x, w.under("layer1"), padding=2)
    outcomes = []
    for number, dilation in ((2, 2), (3, 3), (4, 4)):
        layer = w.under(f"layer{number}")
        y = conv_relu_norm(x, layer.under("Conv1dReluBn1"))
        y = res2(y, layer.under("Res2Conv1dReluBn"), dilation)
        y = conv_relu_norm(y, layer.under("Conv1dReluBn2"))
        squeezed = layer("SE_Connect.linear1.weight") @ y.mean(1) + layer("SE_Connect.linear1.bias")
        gate = layer("SE_Connect.linear2.weight") @ squeezed.clamp(min=0) + layer("SE_Connect.linear2.bias")
        x = x + y * sigmoid(gate)[:, None]
        outcomes.append(x)
    x = (w("conv.weight")[:, :, 0] @ torch.cat(outcomes) + w("conv.bias")[:, None]).clamp(min=0)
    y = (w("pooling.linear1.weight")[:, :, 0] @ x + w("pooling.linear1.bias")[:, None]).tanh()
    shares = softmax(w("pooling.linear2.weight")[:, :, 0] @ y + w("pooling.linear2.bias")[:, None])
    mean = (shares * x).sum(1)
    deviation = ((shares * x**2).sum(1) - mean**2).clamp(min=1e-9).sqrt()
    pooled = batch_norm(torch.cat([mean, deviation])[:, None], w.under("bn"))[:, 0]
    return w("linear.weight") @ pooled + w("linear.bias")


def res2(x: Tensor, w: Weights, dilation: int) -> Tensor:
    width = len(w("convs.0.bias"))
    outcomes: list[Tensor] = []
    before = torch.zeros_like(x[:width])
    for number in range(len(x) // width - 1):
        group = x[number * width : (number + 1) * width] + before
        weight, bias = w(f"convs.{number}.weight"), w(f"convs.{number}.bias")
        y = conv1d(group[None], weight, bias, padding=dilation, dilation=dilation)[0].clamp(min=0)
        before = batch_norm(y, w.under(f"bns.{number}"))
        outcomes.append(before)
    return torch.cat([*outcomes, x[-width:]])


def conv_relu_norm(x: Tensor, w: Weights, padding: int = 0) -> Tensor:
    y = conv1d(x[None], w("conv.weight"), w("conv.bias"), padding=padding)[0]
    return batch_norm(y.clamp(min=0), w.under("bn"))


def batch_norm(x: Tensor, w: Weights) -> Tensor:
    scale = w("weight") / (w("running_var") + 1e-5).sqrt()
    return (x - w("running_mean")[:, None]) * scale[:, None] + w("bias")[:, None]


def layer_norm(x: Tensor, w: Weights) -> Tensor:
    centred = x - x.mean(1, keepdim=True)
    return centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt() * w("weight") + w("bias")


def gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


def softmax(x: Tensor) -> Tensor:
    powers = (x - x.max(1, keepdim=True).values).exp()
    return powers / powers.sum(1, keepdim=True)
