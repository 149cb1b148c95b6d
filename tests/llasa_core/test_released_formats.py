"""What the hub holds of the released models, made again from what is public elsewhere."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, Xcodec2Config, Xcodec2Model

from experiments.bench.shapes import LLAMA_1B, SHAPES
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.loading import load_tokenizer
from llasa_core.prompt import DATE, SpeechVocabulary, build_prompt, check_room
from tests.llasa_core.released import build_tokenizer, vocabulary_file
from tests.tiny import build_generator

TEXTS = (
    "Dealing with family secrets is never easy.",
    "突然 身边一阵笑声。我看着他们 意气风发地挺直了胸膛。",
    "It's 9.50 o'clock -- isn't it?\nYes, \"it\" is!",
    "Çà et là: naïve cafés, 12345 6789",
    "  spaces   and\ttabs ",
)
CODES = [(37 * k) % 65_536 for k in range(750)]
"""15 s of a voice prompt, the longest that the card advises."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = vocabulary_file()
    if file is None:
        pytest.skip("the package llama-models is not installed: pip install --no-deps llama-models==0.3.0")
    folder = tmp_path_factory.mktemp("Llasa-1B")
    build_tokenizer(file).save_pretrained(folder)
    LlamaConfig(**LLAMA_1B).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def released(folder: Path) -> Any:
    return load_tokenizer(str(folder))


@pytest.mark.slow
def test_the_released_tokenizer(folder: Path, released: Any) -> None:
    vocabulary = SpeechVocabulary.from_tokenizer(released)
    assert vocabulary == SpeechVocabulary(128_264, 65_536, 128_260, 128_261)
    assert len(released) == 193_800
    assert (folder / "tokenizer.json").stat().st_size == pytest.approx(29.5e6, rel=2e-3)  # as on the hub
    assert load_tokenizer(str(folder)) is released


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS)
def test_text_is_tokenised_as_by_metas_own_tokenizer(released: Any, text: str) -> None:
    from llama_models.llama3.tokenizer import Tokenizer

    file = vocabulary_file()
    assert file is not None
    expected = Tokenizer(file).encode(text, bos=False, eos=False)
    assert released(text, add_special_tokens=False).input_ids == expected


@pytest.mark.slow
def test_a_prompt_of_the_released_models_and_its_room(released: Any) -> None:
    ids = build_prompt(released, TEXTS[0], TEXTS[2].strip(), CODES)
    text = f"{TEXTS[2].strip()} {TEXTS[0]}"
    said = (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
        f"Cutting Knowledge Date: December 2023\nToday Date: {DATE}\n\n<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nConvert the text to speech:"
        f"<|TEXT_UNDERSTANDING_START|>{text}<|TEXT_UNDERSTANDING_END|><|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n<|SPEECH_GENERATION_START|>"
    )
    assert released.decode(ids[: -len(CODES)]) == said
    assert ids[-len(CODES) :] == [128_264 + code for code in CODES] and ids.count(128_000) == 1
    assert check_room(len(ids)) == 2048 - len(ids) > 1100


@pytest.mark.slow
def test_a_prompt_is_built_in_milliseconds(released: Any) -> None:
    """On the thread that hands out work to the GPU: 10 ms at the most, with the longest voice prompt."""
    build_prompt(released, TEXTS[0], TEXTS[2], CODES)
    times = []
    for _ in range(9):
        began = time.perf_counter()
        build_prompt(released, TEXTS[0], TEXTS[2], CODES)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.010


@pytest.mark.parametrize("copied", ["absent", "equal", "other"])
def test_the_output_matrix_is_the_one_in_the_file(tmp_path: Path, copied: str) -> None:
    """Llasa-3B and the multilingual 1B hold one although their config ties it to the embedding."""
    folder = build_generator(tmp_path / "generator", n_codes=64)
    file = folder / "model.safetensors"
    weights = load_file(file)
    embedding = weights["model.embed_tokens.weight"]
    assert (
        "lm_head.weight" not in weights
        and json.loads((folder / "config.json").read_text())["tie_word_embeddings"]
    )
    head = embedding.clone() if copied != "other" else torch.randn(embedding.shape)
    if copied != "absent":
        save_file({**weights, "lm_head.weight": head}, file, metadata={"format": "pt"})
    generator = SpeechLM.from_source(str(folder))
    hidden = torch.randn(3, embedding.shape[1], generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.rms_norm(hidden, hidden.shape[1:], weights["model.norm.weight"], 1e-6)
    torch.testing.assert_close(
        generator.network.logits(hidden), expected @ head[generator.token_ids].T, atol=1e-4, rtol=1e-4
    )


def header_bytes(model: torch.nn.Module) -> int:
    """Length of the header that safetensors writes for the parameters and buffers of a model."""
    found, end = {"__metadata__": {"format": "pt"}}, 0  # type: ignore[var-annotated]
    state = sorted(model.state_dict().items(), key=lambda item: item[0])
    for name, tensor in state:
        begin, end = end, end + tensor.numel() * tensor.element_size()
        found[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, end]}  # type: ignore[dict-item]
    length = len(json.dumps(found, separators=(",", ":")))
    return 8 + -(-length // 8) * 8


def test_the_codec_of_transformers_has_the_tensors_of_the_released_file() -> None:
    """HKUSTAudio/xcodec2-hf: 811 tensors in a file of 2,517,231,448 bytes, its header included."""
    with torch.device("meta"):
        model = Xcodec2Model(Xcodec2Config())
    state = model.state_dict()
    size = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    assert len(state) == 811
    assert size + header_bytes(model) == 2_517_231_448


def test_a_llama_of_the_shape_of_llasa_3b_has_the_bytes_of_its_files() -> None:
    """8.02 GB on the hub: only with an output matrix of its own."""
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**SHAPES["llama-3b"]))
    own = dict(model.named_parameters())
    assert len(own) == 255
    assert sum(p.numel() for p in own.values()) * 2 / 1e9 == pytest.approx(8.02, abs=0.005)


@pytest.mark.parametrize(
    ("shape", "tied", "parameters"),
    [
        ("llama-1b", True, 1_235_814_400),
        ("llama-3b", True, 3_212_749_824),
        ("llama-8b", False, 8_030_261_248),
    ],
)
def test_the_shapes_have_as_many_parameters_as_llama(shape: str, tied: bool, parameters: int) -> None:
    """With Llama's own vocabulary, tied as there: the numbers on the cards of Llama-3.2 and Llama-3.1."""
    own = {"vocab_size": 128_256, "tie_word_embeddings": tied}
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**SHAPES[shape] | own))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
