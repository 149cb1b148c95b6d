"""The generator: speech tokens from prompts (arXiv 2502.04128, sections 3.1 and 4)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from llasa_core.errors import UserError
from llasa_core.lm.batch import Batch, Row
from llasa_core.lm.cuda_graphs import Record, cuda_graphs
from llasa_core.lm.kv_cache import COLUMNS, KVCache
from llasa_core.lm.network import Network
from llasa_core.lm.prefix import Prefix
from llasa_core.lm.sampling import Sampling
from llasa_core.loading import default_dtype, load_model, load_tokenizer
from llasa_core.prompt import CONTEXT_TOKENS, SpeechVocabulary, check_room

CODES_PER_SECOND = 50
ROWS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128)
"""Numbers of rows for which steps are recorded; above the last one its multiples."""
MAX_SECONDS = 20.0
"""Longest speech that is generated for one request unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids of one request (see `build_prompt`); `request_id` and `seed` decide its randomness."""

    ids: Sequence[int]
    request_id: str = "0"
    seed: int = 0


class SpeechLM:
    """A Llasa model with its output cut to speech tokens and the end token.

    `n_codes` speech codes; in the cut output, index i is code i and index `n_codes` ends the speech.
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
        """`model` is a LlamaForCausalLM; most of its weights are copied in another layout, so it can be let go.

        `memory` is the most bytes that keys and values may take: by default 80 % of what is free on a GPU, 40 % of the
        machine's memory elsewhere. `graphs`: on a GPU, steps are recorded as CUDA graphs. Raises UserError for a
        tokenizer or vocabulary without speech, or a Llama of another kind.
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
        self.device = torch.device(device)
        self.tokenizer = tokenizer
        self.sampling = sampling or Sampling()
        self.context = min(CONTEXT_TOKENS, int(model.config.max_position_embeddings))
        self.memory = memory
        self.record: Record | None = cuda_graphs() if self.device.type == "cuda" and graphs else None
        """How a step is recorded to be repeated without Python; None where it is not."""
        self.max_tokens = max(1, round(max_seconds * CODES_PER_SECOND))
        kept = [
            *range(self.vocabulary.first_id, self.vocabulary.first_id + self.n_codes),
            self.vocabulary.end_id,
        ]
        self.token_ids = torch.tensor(kept, device=self.device)
        """Model token id of each index of the cut output: int64 [n_codes + 1]."""
        model = model.to(self.device, dtype or default_dtype(device))
        # the last tokens sampled before the device is waited for may stand behind the context's end
        self.network = Network(model, self.token_ids, self.context + COLUMNS)

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
        """Loads a packaged name, folder or hub id; float32 on a CPU and bfloat16 elsewhere unless told otherwise.

        Raises UserError for anything that is not a complete Llasa model.
        """
        tokenizer = load_tokenizer(source)
        # Looked at before the weights are read: they may be gigabytes.
        SpeechVocabulary.from_tokenizer(tokenizer)
        model = load_model(source, "LlamaForCausalLM", "llama", dtype or default_dtype(device), device)
        return cls(model, tokenizer, device, dtype, sampling=sampling, max_seconds=max_seconds, memory=memory)

    @property
    def n_codes(self) -> int:
        return self.vocabulary.n_codes

    def prefill(
        self, prompts: Sequence[Prompt], sampling: Sampling | None = None, cache: KVCache | None = None
    ) -> Batch:
        """One row for each prompt, computed once however often it is forked later; in a cache of its own unless told.

        Raises UserError, before any work, for a prompt that leaves no room in the context.
        """
        rooms = [check_room(len(prompt.ids), self.context) for prompt in prompts]
        if any(len(prompt.ids) < 2 for prompt in prompts):
            raise ValueError("a prompt has at least two tokens")
        rows = [
            Row(
                prompt.request_id,
                prompt.seed,
                self._prefix(prompt.ids[:-1]),
                [prompt.ids[-1]],
                min(room, self.max_tokens),
            )
            for prompt, room in zip(prompts, rooms, strict=True)
        ]
        computed = sum(len(row.prefix) for row in rows)
        return Batch(
            self, sampling or self.sampling, rows, cache or self.new_cache(), tokens_computed=computed
        )

    def new_cache(self) -> KVCache:
        """Room for keys and values, none of it taken yet."""
        return KVCache(self.network, self.record)

    @torch.inference_mode()
    def _prefix(self, ids: Sequence[int]) -> Prefix:
        return self.network.prefix(ids)

    def memory_left(self, cache: KVCache, prefixes: Iterable[Prefix]) -> int:
        """Bytes that the block of ``cache`` may take: of the limit what the prefixes leave, or what can be had."""
        prefixed = self.network.bytes_per_token * sum(map(len, prefixes))
        if self.memory is not None:
            return self.memory - prefixed
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            return int(0.8 * (free + cache.bytes))
        return int(0.4 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) - prefixed

    def rows_that_fit(self, tokens: int, limit: int) -> int:
        """How many rows of so many tokens fit into ``limit`` bytes at once. Raises UserError if not even one does."""
        needed = self.network.bytes_per_token * (-(-tokens // COLUMNS) * COLUMNS)
        if needed > limit:
            raise UserError(
                f"one row of {tokens} tokens needs {needed / 2**20:.1f} MiB for its keys and values, "
                f"{max(limit, 0) / 2**20:.1f} MiB are left: raise the memory limit, or give a shorter prompt or text"
            )
        return limit // needed

    def columns(self, tokens: int) -> int:
        """How many columns are looked at for rows of up to so many tokens: few different numbers on a GPU."""
        return tokens if self.device.type == "cpu" else -(-tokens // COLUMNS) * COLUMNS

    def rows(self, count: int) -> int:
        """How many rows are run for so many: few different numbers where steps are recorded."""
        if self.record is None:
            return count
        return next((size for size in ROWS if count <= size), -(-count // ROWS[-1]) * ROWS[-1])
