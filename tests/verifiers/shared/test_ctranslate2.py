"""CTranslate2's model files: every byte and every variable of a Whisper is accounted for."""

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from verifiers.errors import VerifierError
from verifiers.models.whisper_ct2 import ALIASES, SETTINGS, convert
from verifiers.shared.ctranslate2 import TYPES, read

Variables = dict[str, Any]
DIMS = {
    "n_mels": 80,
    "n_audio_ctx": 6,
    "n_audio_state": 4,
    "n_audio_head": 2,
    "n_audio_layer": 2,
    "n_vocab": 9,
    "n_text_ctx": 5,
    "n_text_state": 4,
    "n_text_head": 1,
    "n_text_layer": 1,
}


def write(variables: Variables, spec: str = "WhisperSpec", aliases: dict[str, str] = ALIASES) -> bytes:
    """As CTranslate2 writes a model.bin."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    codes = {np.dtype(kind): code for code, kind in TYPES.items()}
    parts = [struct.pack("<I", 6), text(spec), struct.pack("<II", 3, len(variables))]
    for name, value in variables.items():
        shape = struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        parts += [text(name), shape, struct.pack("<BI", codes[value.dtype], value.nbytes), value.tobytes()]
    parts.append(struct.pack("<I", len(aliases)))
    parts += [text(alias) + text(name) for alias, name in aliases.items()]
    return b"".join(parts)


@pytest.fixture
def whisper() -> Variables:
    """The variables of a tiny Whisper."""
    rng = np.random.default_rng(1)
    found: Variables = {name: np.array(value, np.int8) for name, value in SETTINGS.items()}
    found["decoder/alignment_heads"] = np.array(1, np.int16)
    found["encoder/num_heads"], found["decoder/num_heads"] = np.array(2, np.int16), np.array(1, np.int16)

    def add(name: str, *shape: int) -> None:
        found[name] = rng.standard_normal(shape).astype(np.float16)

    def linear(name: str, *shape: int) -> None:
        add(f"{name}/weight", *shape)
        add(f"{name}/bias", shape[0])

    def norm(name: str) -> None:
        add(f"{name}/gamma", 4)
        add(f"{name}/beta", 4)

    linear("encoder/conv1", 4, 80, 3)
    linear("encoder/conv2", 4, 4, 3)
    add("encoder/position_encodings/encodings", 6, 4)
    add("decoder/position_encodings/encodings", 5, 4)
    add("decoder/embeddings/weight", 9, 4)
    for part, layers in (("encoder", 2), ("decoder", 1)):
        norm(f"{part}/layer_norm")
        for layer in (f"{part}/layer_{index}" for index in range(layers)):
            for name in ("self_attention", "ffn", *(["attention"] if part == "decoder" else [])):
                norm(f"{layer}/{name}/layer_norm")
            linear(f"{layer}/self_attention/linear_0", 12, 4)
            found[f"{layer}/self_attention/linear_0/bias"][4:8] = 0
            linear(f"{layer}/self_attention/linear_1", 4, 4)
            linear(f"{layer}/ffn/linear_0", 16, 4)
            linear(f"{layer}/ffn/linear_1", 4, 16)
            if part == "decoder":
                linear(f"{layer}/attention/linear_0", 4, 4)
                linear(f"{layer}/attention/linear_1", 8, 4)
                found[f"{layer}/attention/linear_1/bias"][:4] = 0
                linear(f"{layer}/attention/linear_2", 4, 4)
    return found


@pytest.mark.models
def test_a_whisper_becomes_that_of_openai(whisper: Variables) -> None:
    from whisper.model import ModelDimensions, Whisper

    dims, state = convert(write(whisper), "here")
    assert dims == DIMS
    expected = {name: tensor.shape for name, tensor in Whisper(ModelDimensions(**dims)).state_dict().items()}
    assert {name: tensor.shape for name, tensor in state.items()} == expected
    block, layer = "decoder.blocks.0.cross_attn", "decoder/layer_0/attention/linear_1"
    assert np.array_equal(state[f"{block}.key.weight"], whisper[f"{layer}/weight"][:4])
    assert np.array_equal(state[f"{block}.value.weight"], whisper[f"{layer}/weight"][4:])
    assert np.array_equal(state[f"{block}.value.bias"], whisper[f"{layer}/bias"][4:])
    own, layer = "encoder.blocks.1.attn", "encoder/layer_1/self_attention/linear_0"
    for index, name in enumerate(("query", "key", "value")):
        rows = slice(4 * index, 4 * index + 4)
        assert np.array_equal(state[f"{own}.{name}.weight"], whisper[f"{layer}/weight"][rows])


def test_each_variable_is_needed_and_no_other_is_taken(whisper: Variables) -> None:
    needed = [name for name in whisper if name not in ("decoder/alignment_heads", *ALIASES.values())]
    for name in needed:
        with pytest.raises(VerifierError, match="here is no Whisper model") as caught:
            convert(write({key: value for key, value in whisper.items() if key != name}), "here")
        assert name in str(caught.value) or name.rpartition("/")[0] in str(caught.value)
    for extra in ("encoder/layer_0/more", "decoder/embeddings/weight_scale", "encoder/layer_norm/delta"):
        with pytest.raises(VerifierError, match=f"{extra} is left over"):
            convert(write({**whisper, extra: np.zeros(4, np.float16)}), "here")


def change(name: str, value: Any) -> Callable[[Variables], None]:
    return lambda variables: variables.update({name: value})


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (change("decoder/pre_norm", np.array(0, np.int8)), "decoder/pre_norm is not 1"),
        (change("decoder/activation", np.array(0, np.int8)), "decoder/activation is not 3"),
        (change("encoder/num_heads", np.zeros(2, np.int16)), "encoder/num_heads is no whole number"),
        (change("encoder/conv1/bias", np.zeros(4, np.int8)), "conv1/bias is int8"),
        (change("encoder/conv1/weight", np.zeros((4, 80), np.float16)), "conv1/weight is no convolution"),
        (change("decoder/embeddings/weight", np.zeros(9, np.float16)), "embeddings/weight is float16"),
        (
            change("encoder/layer_1/self_attention/linear_0/bias", np.ones(12, np.float16)),
            "has a bias on its keys",
        ),
        (
            change("decoder/layer_0/attention/linear_1/bias", np.zeros(7, np.float16)),
            "is not made of 2 projections",
        ),
    ],
)
def test_another_network_is_refused(
    whisper: Variables, spoil: Callable[[Variables], None], says: str
) -> None:
    spoil(whisper)
    with pytest.raises(VerifierError, match=says) as caught:
        convert(write(whisper), "here")
    assert "\n" not in str(caught.value)


def test_another_kind_of_model_is_refused(whisper: Variables) -> None:
    with pytest.raises(VerifierError, match="holds a TransformerSpec of revision 3"):
        convert(write(whisper, "TransformerSpec"), "here")
    with pytest.raises(VerifierError, match="no Whisper model"):
        convert(write(whisper, aliases={}), "here")


SMALL = write(
    {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(7, np.int16)}, "S", {"c": "a"}
)


def test_arrays_come_back() -> None:
    found = read(SMALL, "here")
    assert (found.spec, found.revision, found.aliases) == ("S", 3, {"c": "a"})
    assert found.variables["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found.variables["b"].item() == 7


def test_a_file_that_is_cut_off_anywhere_or_too_long_is_refused() -> None:
    for size in range(len(SMALL)):
        with pytest.raises(VerifierError, match=r"here is no model\.bin"):
            read(SMALL[:size], "here")
    with pytest.raises(VerifierError, match="1 bytes are left over"):
        read(SMALL + b"\0", "here")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (struct.pack("<I", 5) + SMALL[4:], "its version is 5"),
        (SMALL.replace(b"S\0", b"\xff\0", 1), "a name is no text"),
        (SMALL.replace(b"\2\0b\0", b"\2\0a\0", 1), "a is there twice"),
        (SMALL.replace(struct.pack("<II", 3, 2), struct.pack("<II", 3, 1 << 31), 1), "2147483648 variables"),
        (SMALL.replace(b"a\0\2", b"a\0\xff", 1), "a has 255 axes"),
        (SMALL.replace(struct.pack("<BI", 0, 24), struct.pack("<BI", 9, 24), 1), "unknown type 9"),
        (SMALL.replace(struct.pack("<BI", 0, 24), struct.pack("<BI", 0, 20), 1), "20 bytes for the shape"),
        (SMALL.replace(struct.pack("<II", 2, 3), struct.pack("<II", *[(1 << 32) - 1] * 2), 1), "24 bytes"),
        (SMALL[:-4] + b"\2\0z\0", "c cannot be another name of z"),
    ],
)
def test_a_file_of_other_sizes_is_refused(content: bytes, says: str) -> None:
    assert content != SMALL and math.isclose(len(content), len(SMALL), abs_tol=1)
    with pytest.raises(VerifierError, match=says):
        read(content, "here")
