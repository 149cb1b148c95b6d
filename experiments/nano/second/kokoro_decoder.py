"""Kokoro's decoder in torch, from the weights of its ONNX file: sounds, pitch and energy to a waveform.

StyleTTS 2's iSTFTNet decoder (arXiv 2306.07691; reference: ``istftnet.py`` of the package kokoro,
Apache-2.0), for inference alone: weights as the file has them, convolutions in bfloat16, all else in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

SAMPLE_RATE = 24_000
_KERNELS, _DILATIONS = (3, 7, 11), (1, 3, 5)
_FRAME, _FFT, _HOP = 300, 20, 5
"""Samples for each value of the pitch, and the transform of the waveform."""
_HARMONICS, _SINE, _NOISE, _VOICED = 9, 0.1, 0.003, 10.0


class Decoder:
    """Takes an ``onnx.GraphProto``; raises KeyError if it is not Kokoro's."""

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self._numbers = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        self._nodes = {node.name: node for node in graph.node}
        self._convs: dict[str, tuple[torch.Tensor, torch.Tensor | None]] = {}
        self._linears: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def __call__(
        self,
        sounds: torch.Tensor,
        pitch: torch.Tensor,
        energy: torch.Tensor,
        style: torch.Tensor,
        noise: torch.Generator,
    ) -> torch.Tensor:
        """Sounds [1, 512, frames], pitch (Hz), energy [1, 2 * frames], style [1, 128] -> samples, 24 kHz."""
        curves = [
            self._conv(name, values[:, None], stride=2, padding=1)
            for name, values in (("F0_conv", pitch), ("N_conv", energy))
        ]
        x = self._block("encode", torch.cat([sounds, *curves], 1), style)
        beside = [self._conv("asr_res/asr_res.0", sounds), *curves]
        for number in range(4):
            x = self._block(f"decode.{number}", torch.cat([x, *beside], 1), style, up=number == 3)
        return self._generate(x, pitch, style, noise)

    def _generate(
        self, x: torch.Tensor, pitch: torch.Tensor, style: torch.Tensor, noise: torch.Generator
    ) -> torch.Tensor:
        window = torch.hann_window(_FFT)
        spectrum = torch.stft(self._source(pitch, noise), _FFT, _HOP, window=window, return_complex=True)
        source = torch.cat([spectrum.abs(), spectrum.angle()], 1)
        for stage, (rate, kernel) in enumerate(((10, 7), (6, 11))):
            x = F.leaky_relu(x, 0.1)
            stride = 6 if stage == 0 else 1
            shape = self._conv(
                f"generator/noise_convs.{stage}", source, stride=stride, padding=3 if stage == 0 else 0
            )
            shape = self._residual(f"generator/noise_res.{stage}", shape, style, kernel)
            x = self._raise(f"generator/ups.{stage}", x, rate)
            if stage == 1:
                x = F.pad(x, (1, 0), mode="reflect")
            x = x + shape
            own = [
                self._residual(f"generator/resblocks.{3 * stage + i}", x, style, size)
                for i, size in enumerate(_KERNELS)
            ]
            x = torch.stack(own).mean(0)
        x = self._conv("generator/conv_post", F.leaky_relu(x), padding=3)
        bins = _FFT // 2 + 1
        polar = torch.polar(torch.exp(x[:, :bins]), torch.sin(x[:, bins:]))
        return torch.istft(polar, _FFT, _HOP, window=window)[0]

    def _source(self, pitch: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
        """Harmonics of the pitch where it is voiced, noise elsewhere: [1, samples]."""
        voiced = (pitch > _VOICED).float().repeat_interleave(_FRAME, 1)[..., None]
        steps = pitch[..., None] * torch.arange(1, _HARMONICS + 1) / SAMPLE_RATE % 1
        steps[:, 0, 1:] += torch.rand(_HARMONICS - 1, generator=noise)
        phase = torch.cumsum(steps.double(), 1).mT * (2 * torch.pi * _FRAME)
        phase = F.interpolate(phase, scale_factor=_FRAME, mode="linear").mT
        loud = voiced * _NOISE + (1 - voiced) * _SINE / 3
        waves = torch.sin(phase).float() * _SINE * voiced
        waves = waves + loud * torch.randn(waves.shape, generator=noise)
        mixed = waves @ self._weight("onnx::MatMul_6993") + self._own("generator.m_source.l_linear.bias")
        return torch.tanh(mixed)[..., 0]

    def _block(self, place: str, x: torch.Tensor, style: torch.Tensor, up: bool = False) -> torch.Tensor:
        """A residual block at the rate of the sounds; ``up`` doubles the rate."""
        y = F.leaky_relu(self._styled(f"{place}/norm1", x, style), 0.2)
        if up:
            y = self._raise(f"{place}/pool", y, 2, groups=y.shape[1])
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        y = self._conv(f"{place}/conv1", y, padding=1)
        y = self._conv(
            f"{place}/conv2", F.leaky_relu(self._styled(f"{place}/norm2", y, style), 0.2), padding=1
        )
        return (y + self._conv(f"{place}/conv1x1", x)) / 2**0.5

    def _residual(self, place: str, x: torch.Tensor, style: torch.Tensor, kernel: int) -> torch.Tensor:
        for i, dilation in enumerate(_DILATIONS):
            y = x
            for half, apart in ((1, dilation), (2, 1)):
                y = self._styled(f"{place}/adain{half}.{i}", y, style)
                alpha = self._own(f"{place.replace('/', '.')}.alpha{half}.{i}")
                y = y + torch.sin(alpha * y).square_() / alpha
                y = self._conv(
                    f"{place}/convs{half}.{i}", y, padding=(kernel - 1) // 2 * apart, dilation=apart
                )
            x = x + y
        return x

    def _styled(self, place: str, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """Each channel brought to a mean and a deviation that the style gives."""
        if place not in self._linears:
            weight = self._dequantized(self._nodes[f"/decoder/decoder/{place}/fc/Gemm_MatMul_quant"])
            self._linears[place] = weight, self._own(f"{place.replace('/', '.')}.fc.bias")
        weight, bias = self._linears[place]
        scale, shift = (style @ weight + bias)[..., None].chunk(2, 1)
        mean = x.mean(2, keepdim=True)
        var = x.square().mean(2, keepdim=True) - mean.square()  # torch.var_mean is four times slower
        factor = (1 + scale) * torch.rsqrt(var.clamp_min(0) + 1e-5)
        return torch.addcmul(shift - mean * factor, x, factor)

    def _conv(self, place: str, x: torch.Tensor, **settings: int) -> torch.Tensor:
        kind = "Conv" if place.endswith("conv_post") else "Conv_quant"
        weight, bias = self._layer(place, kind)
        return F.conv1d(x.bfloat16(), weight, bias, **settings).float()

    def _raise(self, place: str, x: torch.Tensor, rate: int, groups: int = 1) -> torch.Tensor:
        """A transposed convolution that multiplies the rate."""
        weight, bias = self._layer(place, "ConvTranspose")
        pad, extra = ((weight.shape[2] - rate) // 2, 0) if rate > 2 else (1, 1)
        return F.conv_transpose1d(x.bfloat16(), weight, bias, rate, pad, extra, groups).float()

    def _layer(self, place: str, kind: str) -> tuple[torch.Tensor, torch.Tensor | None]:
        if place not in self._convs:
            node = self._nodes[f"/decoder/decoder/{place}/{kind}"]
            weight = self._dequantized(node) if kind == "Conv_quant" else self._weight(node.input[1])
            name = place.replace("asr_res/asr_res", "asr_res").replace("/", ".")
            bias = self._own(f"{name}.bias") if f"decoder.decoder.{name}.bias" in self._numbers else None
            self._convs[place] = weight.bfloat16(), None if bias is None else bias.bfloat16()
        return self._convs[place]

    def _own(self, name: str) -> torch.Tensor:
        return self._weight(f"decoder.decoder.{name}")

    def _weight(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self._numbers[name].astype(np.float32))

    def _dequantized(self, node: Any) -> torch.Tensor:
        """What an int8 layer's weight stands for."""
        weight, zero = node.input[1], node.input[3]
        scale = self._numbers[weight.removesuffix("_quantized") + "_scale"]
        numbers = self._numbers[weight].astype(np.float32) - self._numbers[zero].astype(np.float32)
        return torch.from_numpy(numbers * scale)
