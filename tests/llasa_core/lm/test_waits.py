"""What a GPU is given to do, tried on the device "meta": its tensors have no values, so whoever waits for one
fails.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import LlamaConfig, LlamaForCausalLM

from experiments.bench.decoding import ShapeTokenizer
from llasa_core.codec.codec import Codec
from llasa_core.codec.padded_decoder import decode_padded
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sequence import Prompt
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.sampling import Sampling
from tests.llasa_core.lm.candidates import candidates, fork

STEPS = 25
SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 200,
    "max_position_embeddings": 2048,
}


class Transfers(TorchDispatchMode):
    """Operations on tensors of the host, but for plain numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor) and t.dim()]
        if any(tensor.device.type == "cpu" for tensor in given):
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize(
    "sampling", [Sampling(0.9, 0.95), Sampling(0.9, 0.95, 5, 0.01, 1.1), Sampling(0)], ids=str
)
@torch.inference_mode()
def test_steps_wait_for_nothing_and_fetch_nothing(sampling: Sampling, recorded: bool) -> None:
    """Rows of two prompts and two lengths, forked between: 25 steps each time."""
    model = LlamaForCausalLM(LlamaConfig(**SHAPE)).eval()
    tokenizer = ShapeTokenizer(SHAPE["vocab_size"], 64)
    generator = SpeechLM(model, tokenizer, "meta", torch.bfloat16, sampling=sampling, memory=1 << 30)
    if recorded:
        generator.new_record = lambda: lambda work: work
    runner = ModelRunner(generator)
    rows = [*candidates(runner, Prompt(range(20), "a"), 2), *candidates(runner, Prompt(range(30), "b"), 3)]
    for turn in range(3):
        batch = runner.prepare(rows, STEPS, runner.batch_size(len(rows)))
        with Transfers() as transfers:
            chosen = runner.launch(batch, STEPS)
        assert chosen.is_meta and len(chosen) == STEPS
        # a recording is given the numbers of its rows once, before its steps
        assert set(transfers.found) <= ({"aten.to.dtype_layout", "aten.copy_.default"} if recorded else set())
        assert transfers.found.count("aten.copy_.default") <= 7
        runner.accept(batch, torch.full(chosen.shape, turn))
        rows = fork(runner, [rows[k] for k in (0, 0, 1, 3, 4)])
    with pytest.raises(RuntimeError, match="meta"):
        chosen.tolist()


@torch.inference_mode()
def test_the_codec_waits_for_nothing(tiny_codec: Path) -> None:
    model = Codec.from_source(str(tiny_codec)).model.to("meta")
    codes, lengths = torch.zeros(3, 40, dtype=torch.long, device="meta"), torch.ones(3, device="meta")
    with Transfers() as transfers:
        sound = decode_padded(model, codes, lengths)
    assert sound.is_meta and sound.shape == (3, 40 * 320)
    assert not transfers.found
