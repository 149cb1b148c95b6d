"""Random checkpoints in the format of `wavlm_large_finetune.pth` (microsoft/UniSpeech), of any size.

Names and shapes are written out as that file has them: WavLM in the names of its authors, under
`feature_extract.model.`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

KERNELS = (10, 3, 3, 3, 3, 2, 2)


@dataclass(frozen=True)
class Sizes:
    """The released ones; `TINY` are those of the tests."""

    width: int = 1024
    layers: int = 24
    heads: int = 16
    inner: int = 4096
    convolution: int = 512
    span: int = 128
    groups: int = 16
    buckets: int = 320
    channels: int = 512
    scale: int = 8
    squeezed: int = 128
    wide: int = 1536
    attention: int = 128
    embedding: int = 256
    speakers: int = 5994


TINY = Sizes(32, 3, 2, 48, 8, 16, 4, 16, 32, 8, 12, 40, 10, 24, 7)


def backbone_shapes(s: Sizes) -> dict[str, tuple[int, ...]]:
    """Of WavLM, without the prefix."""
    shapes: dict[str, tuple[int, ...]] = {"mask_emb": (s.width,)}
    for number, kernel in enumerate(KERNELS):
        inputs = 1 if number == 0 else s.convolution
        shapes[f"feature_extractor.conv_layers.{number}.0.weight"] = (s.convolution, inputs, kernel)
        shapes[f"feature_extractor.conv_layers.{number}.2.1.weight"] = (s.convolution,)
        shapes[f"feature_extractor.conv_layers.{number}.2.1.bias"] = (s.convolution,)
    shapes["post_extract_proj.weight"] = (s.width, s.convolution)
    shapes["post_extract_proj.bias"] = (s.width,)
    shapes["encoder.pos_conv.0.bias"] = (s.width,)
    shapes["encoder.pos_conv.0.weight_g"] = (1, 1, s.span)
    shapes["encoder.pos_conv.0.weight_v"] = (s.width, s.width // s.groups, s.span)
    for number in range(s.layers):
        layer = f"encoder.layers.{number}."
        shapes[layer + "self_attn.grep_a"] = (1, s.heads, 1, 1)
        if number == 0:
            shapes[layer + "self_attn.relative_attention_bias.weight"] = (s.buckets, s.heads)
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            shapes[f"{layer}self_attn.{name}.weight"] = (s.width, s.width)
            shapes[f"{layer}self_attn.{name}.bias"] = (s.width,)
        shapes[layer + "self_attn.grep_linear.weight"] = (8, s.width // s.heads)
        shapes[layer + "self_attn.grep_linear.bias"] = (8,)
        shapes[layer + "fc1.weight"] = (s.inner, s.width)
        shapes[layer + "fc1.bias"] = (s.inner,)
        shapes[layer + "fc2.weight"] = (s.width, s.inner)
        shapes[layer + "fc2.bias"] = (s.width,)
        for name in ("self_attn_layer_norm", "final_layer_norm"):
            shapes[f"{layer}{name}.weight"] = (s.width,)
            shapes[f"{layer}{name}.bias"] = (s.width,)
    for name, size in (("encoder.layer_norm", s.width), ("layer_norm", s.convolution)):
        shapes[f"{name}.weight"] = (size,)
        shapes[f"{name}.bias"] = (size,)
    return shapes


def head_shapes(s: Sizes) -> dict[str, tuple[int, ...]]:
    """Of everything behind WavLM but `feature_weight`."""
    shapes: dict[str, tuple[int, ...]] = {}

    def add(name: str, outputs: int, *inputs: int) -> None:
        shapes[f"{name}.weight"] = (outputs, *inputs)
        shapes[f"{name}.bias"] = (outputs,)

    def add_norm(name: str, size: int) -> None:
        add(name, size)
        shapes[f"{name}.running_mean"] = shapes[f"{name}.running_var"] = (size,)
        shapes[f"{name}.num_batches_tracked"] = ()

    add("layer1.conv", s.channels, s.width, 5)
    add_norm("layer1.bn", s.channels)
    group = s.channels // s.scale
    for layer in ("layer2", "layer3", "layer4"):
        for name in ("Conv1dReluBn1", "Conv1dReluBn2"):
            add(f"{layer}.{name}.conv", s.channels, s.channels, 1)
            add_norm(f"{layer}.{name}.bn", s.channels)
        for number in range(s.scale - 1):
            add(f"{layer}.Res2Conv1dReluBn.convs.{number}", group, group, 3)
            add_norm(f"{layer}.Res2Conv1dReluBn.bns.{number}", group)
        add(f"{layer}.SE_Connect.linear1", s.squeezed, s.channels)
        add(f"{layer}.SE_Connect.linear2", s.channels, s.squeezed)
    add("conv", s.wide, 3 * s.channels, 1)
    add("pooling.linear1", s.attention, s.wide, 1)
    add("pooling.linear2", s.wide, s.attention, 1)
    add_norm("bn", 2 * s.wide)
    add("linear", s.embedding, 2 * s.wide)
    return shapes


def all_shapes(s: Sizes = TINY) -> dict[str, tuple[int, ...]]:
    """Of the whole file, by name."""
    return {
        "feature_weight": (s.layers + 1,),
        **{f"feature_extract.model.{name}": shape for name, shape in backbone_shapes(s).items()},
        **head_shapes(s),
        "loss_calculator.projection.weight": (s.speakers, s.embedding),
    }


def random_state(s: Sizes = TINY, seed: int = 0) -> dict[str, Any]:
    """Weights with which every tensor changes the embedding, and different audio has different ones."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Any] = {}
    for name, shape in all_shapes(s).items():
        normal = torch.randn(shape, generator=generator) if shape else torch.tensor(1000)
        if name == "feature_weight" or "relative_attention_bias" in name:
            pass
        elif name.endswith(("running_var", "weight_g")):
            normal = 0.5 + normal.abs()
        elif name.endswith("grep_a") or (name.endswith("weight") and len(shape) == 1):
            normal = 1 + 0.2 * normal
        elif len(shape) > 1:
            normal *= 1.5 / (normal[0].numel() ** 0.5)
        elif shape:
            normal *= 0.2
        state[name] = normal
    return state


def write_wavlm_large(file: Path, state: dict[str, Any] | None = None) -> Path:
    import torch

    torch.save({"model": random_state() if state is None else state, "best_valid_eer": 0.0043}, file)
    return file
