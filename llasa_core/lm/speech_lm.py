"""The language model, which continues a prompt by speech tokens (arXiv 2502.04128, sections 3.1 and 4)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch

from llasa_core.audio import CODES_PER_SECOND
from llasa_core.errors import UserError
from llasa_core.lm.cuda_graphs import NewRecord, cuda_graphs, may_record
from llasa_core.lm.gpu_kernels import GpuKernels, gpu_kernels
from llasa_core.lm.kv_cache import COLUMNS
from llasa_core.lm.network import Network
from llasa_core.lm.sampler import Race, race
from llasa_core.loading import check_device, default_dtype, load_model, load_tokenizer
from llasa_core.prompt import CONTEXT_TOKENS, SpeechVocabulary
from llasa_core.sampling import Sampling

MAX_SECONDS = 20.0
"""Longest speech that is generated for one request unless told otherwise."""


class SpeechLM:
    """A Llasa model whose output is cut to speech tokens and the end token; `ModelRunner` runs it.

    In the cut output, index i is speech code i for i in 0 .. `n_codes` - 1; index `n_codes` ends the speech.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
        *,
        sampling: Sampling | None = None,
        max_seconds: float = MAX_SECONDS,
        memory: int | None = None,
        graphs: bool = True,
    ) -> None:
        """`model` is a LlamaForCausalLM, on any device; most of its weights are copied, so it can be freed.

        `memory` is the most bytes that keys and values may take: by default 80 % of what the models and other
        programs leave of a GPU, or 40 % of the machine's memory. `graphs`: on a GPU, steps are recorded as
        CUDA graphs. Raises UserError for a tokenizer without speech tokens, and for a Llama with other layers
        than Llasa's.
        """
        self.vocabulary = SpeechVocabulary.from_tokenizer(tokenizer)
        rows = model.config.vocab_size
        if max(self.vocabulary.first_id + self.n_codes - 1, self.vocabulary.end_id) >= rows:
            raise UserError(
                f"the generator's tokenizer has more tokens than the {rows} rows of its model: "
                "the folder mixes two models, fetch it again"
            )
        if not 0 < max_seconds <= CONTEXT_TOKENS / CODES_PER_SECOND:
            limit = CONTEXT_TOKENS / CODES_PER_SECOND
            raise UserError(f"max_seconds {max_seconds:g}: give more than 0 and at most {limit:g} s")
        self.device = torch.empty(0, device=device).device
        """With its number: another thread's current GPU may be another one than this thread's."""
        self.tokenizer = tokenizer
        self.sampling = sampling or Sampling()
        self.context = min(CONTEXT_TOKENS, int(model.config.max_position_embeddings))
        self.memory = memory
        on_gpu = self.device.type == "cuda"
        recorded = on_gpu and graphs and may_record()
        self.new_record: NewRecord | None = partial(cuda_graphs, self.device) if recorded else None
        """How decoding steps are recorded as CUDA graphs; None where they are not recorded."""
        self.kernels = gpu_kernels() if on_gpu else None
        """Those that this device may use."""
        self.race = race_of(self.device, self.kernels)
        """How a token is sampled on this device."""
        self.max_tokens = max(1, round(max_seconds * CODES_PER_SECOND))
        speech = range(self.vocabulary.first_id, self.vocabulary.first_id + self.n_codes)
        kept = torch.tensor([*speech, self.vocabulary.end_id])
        self.token_ids = kept.to(self.device)
        """Model token id of each index of the cut output: int64 [n_codes + 1]."""
        # tokens that are sampled before the device is waited for may have positions behind the context's end
        self.network = Network(
            model.to(dtype or default_dtype(device)), kept, self.context + COLUMNS, self.device, self.kernels
        )

    @classmethod
    def from_source(
        cls,
        source: str,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
        *,
        sampling: Sampling | None = None,
        max_seconds: float = MAX_SECONDS,
        memory: int | None = None,
    ) -> SpeechLM:
        """Load a packaged name, folder or hub id; by default in float32 on a CPU and in bfloat16 elsewhere.

        Raises UserError for anything that is not a complete Llasa model.
        """
        tokenizer = load_tokenizer(source)
        # read before the weights, which may be gigabytes
        SpeechVocabulary.from_tokenizer(tokenizer)
        check_device(device)
        # on the CPU, from where the network takes one matrix after the other: a GPU never holds it twice
        model = load_model(source, "LlamaForCausalLM", "llama", dtype or default_dtype(device), "cpu")
        return cls(
            model,
            tokenizer,
            device,
            dtype,
            sampling=sampling,
            max_seconds=max_seconds,
            memory=memory,
        )

    @property
    def n_codes(self) -> int:
        return self.vocabulary.n_codes

    def on_device(self) -> AbstractContextManager[Any]:
        """Work inside is given to the model's own GPU, whichever is the current one of the thread."""
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()


def race_of(device: torch.device, kernels: GpuKernels | None = None) -> Race:
    """The sampler of a device: compiled on a CPU, else the one of the kernels or plain operations."""
    if device.type == "cpu":
        from llasa_core.lm.cpu.sampler import race as compiled

        # compiled now, so that the first request neither waits nor counts it
        compiled(torch.ones(1, 1), torch.zeros(1, dtype=torch.long), Sampling())
        return compiled
    return race if kernels is None else kernels.race
