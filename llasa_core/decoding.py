"""The generator: speech tokens from prompts (arXiv 2502.04128, sections 3.1 and 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from llasa_core.batch import Batch, KeysValues, Row
from llasa_core.errors import UserError
from llasa_core.models import default_dtype, load_model, load_tokenizer
from llasa_core.prompt import CONTEXT_TOKENS, SpeechVocabulary, check_room
from llasa_core.sampling import Sampling

CODES_PER_SECOND = 50
MAX_SECONDS = 20.0
"""Longest speech that is generated for one request unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids of one request (see `build_prompt`); `request_id` and `seed` decide its randomness."""

    ids: Sequence[int]
    request_id: str = "0"
    seed: int = 0


class Generator:
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
    ) -> None:
        """`model` is a LlamaForCausalLM. Raises UserError for a tokenizer or vocabulary without speech."""
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
        self.model = model.to(self.device, dtype or default_dtype(device)).eval()
        self.tokenizer = tokenizer
        self.sampling = sampling or Sampling()
        self.context = min(CONTEXT_TOKENS, int(model.config.max_position_embeddings))
        self.max_tokens = max(1, round(max_seconds * CODES_PER_SECOND))
        kept = [
            *range(self.vocabulary.first_id, self.vocabulary.first_id + self.n_codes),
            self.vocabulary.end_id,
        ]
        self.token_ids = torch.tensor(kept, device=self.device)
        """Model token id of each index of the cut output: int64 [n_codes + 1]."""
        output = model.get_output_embeddings()
        self._head = output.weight.detach()[self.token_ids]
        bias = getattr(output, "bias", None)
        self._head_bias = None if bias is None else bias.detach()[self.token_ids]

    @classmethod
    def from_source(
        cls,
        source: str,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
        *,
        sampling: Sampling | None = None,
        max_seconds: float = MAX_SECONDS,
    ) -> Generator:
        """Loads a packaged name, folder or hub id; float32 on a CPU and bfloat16 elsewhere unless told otherwise.

        Raises UserError for anything that is not a complete Llasa model.
        """
        tokenizer = load_tokenizer(source)
        # Looked at before the weights are read: they may be gigabytes.
        SpeechVocabulary.from_tokenizer(tokenizer)
        model = load_model(source, "LlamaForCausalLM", "llama", dtype or default_dtype(device), device)
        return cls(model, tokenizer, device, dtype, sampling=sampling, max_seconds=max_seconds)

    @property
    def n_codes(self) -> int:
        return self.vocabulary.n_codes

    def prefill(self, prompts: Sequence[Prompt], sampling: Sampling | None = None) -> Batch:
        """One row for each prompt, computed once however often it is forked later.

        Raises UserError, before any work, for a prompt that leaves no room in the context.
        """
        rooms = [check_room(len(prompt.ids), self.context) for prompt in prompts]
        if any(len(prompt.ids) < 2 for prompt in prompts):
            raise ValueError("a prompt has at least two tokens")
        rows = [
            Row(prompt.request_id, prompt.seed, prompt.ids[-1], min(room, self.max_tokens))
            for prompt, room in zip(prompts, rooms, strict=True)
        ]
        # One at a time, without padding: each row is exactly what it would be alone.
        kv = KeysValues.concatenated([self._prefill_one(prompt.ids) for prompt in prompts])
        prefilled = sum(len(prompt.ids) for prompt in prompts)
        return Batch(self, sampling or self.sampling, rows, kv, tokens_prefilled=prefilled)

    @torch.inference_mode()
    def _prefill_one(self, ids: Sequence[int]) -> KeysValues:
        """Keys and values of all but the last token, which the first step runs and samples behind."""
        cache = DynamicCache()
        tokens = torch.tensor([list(ids[:-1])], device=self.device)
        self.model.base_model(input_ids=tokens, past_key_values=cache, use_cache=True)
        return KeysValues(cache, torch.zeros(1, dtype=torch.long, device=self.device))

    @torch.inference_mode()
    def step(self, tokens: Tensor, kv: KeysValues) -> Tensor:
        """Runs one token id of each row, int64 [rows], growing `kv` by one: logits [rows, n_codes + 1]."""
        width = kv.width
        mask = None
        if kv.padded:
            mask = (torch.arange(width + 1, device=self.device) >= kv.pads[:, None]).long()
        output = self.model.base_model(
            input_ids=tokens[:, None],
            attention_mask=mask,
            position_ids=(width - kv.pads)[:, None],
            past_key_values=kv.cache,
            use_cache=True,
        )
        return self.speech_logits(output.last_hidden_state[:, -1])

    def speech_logits(self, hidden: Tensor) -> Tensor:
        """Final hidden states [rows, hidden] -> float32 logits [rows, n_codes + 1] of speech codes and the end."""
        return torch.nn.functional.linear(hidden, self._head, self._head_bias).float()
