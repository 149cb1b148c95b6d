"""Teacher forcing: how likely a model finds speech codes that it is given, behind one prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llasa_core.lm.prefix import Prefix
from llasa_core.lm.speech_lm import SpeechLM

MOST_BYTES, MOST_TOKENS = 2**28, 2**13
"""Of keys and values, and of tokens, that are computed at once; of more rows one part follows the other."""
LOGIT_ROWS = 512
"""Tokens whose logits are in memory at once: 134 MB for the 65,537 outputs of a released model."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Codes, and the log-likelihood of each: float32 [codes]."""

    codes: tuple[int, ...]
    logps: NDArray[np.float32]


class TeacherForcing:
    """Log-likelihoods of codes at temperature 1, among all codes and the end, whatever the sampling is.

    The prompt is computed once. Rows that grow, as beams do, are computed from where they were kept. Not safe
    for concurrent use.
    """

    def __init__(self, model: SpeechLM, prompt: Sequence[int], prefix: Prefix | None = None) -> None:
        """``prompt``: token ids (`build_prompt`), at least two. ``prefix``: the keys and values of all but
        the last of them, if they are there already."""
        self._model = model
        self._last = prompt[-1]
        self.spans: list[tuple[int, int]] = []
        """First and last position, not included, of everything that was run so far, for counting its cost."""
        if prefix is None:
            with torch.inference_mode():
                prefix = model.network.prefix(prompt[:-1])
            self.spans.append((0, len(prefix)))
        elif model.device.type == "cuda":
            # it was computed by the thread that decodes, whose work this thread's does not wait for by itself
            torch.cuda.current_stream(model.device).wait_stream(torch.cuda.default_stream(model.device))
        self._prefix = prefix
        self._block, self._kept = model.network.allocate(0, 0), list[Scored]()

    @torch.inference_mode()
    def logps(self, candidates: Sequence[Sequence[int]], *, keep: bool = False) -> list[NDArray[np.float32]]:
        """log p(code | prompt, the codes before it) of every code: float32 [codes] for each candidate.

        ``keep``: the keys and values stay for the next call, if they fit into `MOST_BYTES`; else all are let
        go of. Raises ValueError for a code that the model does not have.
        """
        rows = [tuple(codes) for codes in candidates]
        columns = max(map(len, rows), default=0)
        by_bytes = MOST_BYTES // max(1, columns * self._model.network.bytes_per_token)
        together = max(1, min(by_bytes, MOST_TOKENS // max(1, columns)))
        found: list[NDArray[np.float32]] = []
        for first in range(0, len(rows), together):
            block, scored = self._run(rows[first : first + together])
            found += [row.logps for row in scored]
        if keep and 0 < len(rows) <= together:
            self._block, self._kept = block, scored
        else:
            self._block, self._kept = self._model.network.allocate(0, 0), []
        return found

    def _run(self, rows: Sequence[tuple[int, ...]]) -> tuple[Tensor, list[Scored]]:
        """Keys and values [layers, rows, 2, kv_heads, columns, head_dim] of the rows, and their scores."""
        network, device = self._model.network, self._model.device
        block = network.allocate(len(rows), max(map(len, rows)))
        sources = [self._source(codes) for codes in rows]
        spans, tokens, targets = [], list[int](), list[int]()
        for slot, (codes, (source, known)) in enumerate(zip(rows, sources, strict=True)):
            if known:
                block[:, slot, :, :, :known] = self._block[:, source, :, :, :known]
            if known < len(codes):
                inputs = [self._last, *self._model.vocabulary.ids(codes)]
                spans.append((slot, known, len(codes) - known))
                tokens += inputs[known : len(codes)]
                targets += codes[known:]
                self.spans.append((len(self._prefix) + known, len(self._prefix) + len(codes)))
        new = np.zeros(0, np.float32)
        if tokens:
            hidden = network.teacher_force(
                self._prefix, block, spans, torch.tensor(tokens, dtype=torch.long, device=device)
            )
            new = self._gathered(hidden, torch.tensor(targets, dtype=torch.long, device=device))
        scored, taken = [], 0
        for codes, (source, known) in zip(rows, sources, strict=True):
            before = self._kept[source].logps[:known] if known else np.zeros(0, np.float32)
            count = len(codes) - known
            scored.append(Scored(codes, np.concatenate([before, new[taken : taken + count]])))
            taken += count
        return block, scored

    def _source(self, codes: tuple[int, ...]) -> tuple[int, int]:
        """The kept row that has most first codes in common with these, and how many."""
        lengths = [_common(row.codes, codes) for row in self._kept]
        best = max(range(len(lengths)), key=lengths.__getitem__, default=0)
        return best, lengths[best] if lengths else 0

    def _gathered(self, hidden: Tensor, targets: Tensor) -> NDArray[np.float32]:
        """Log-likelihoods [time] of targets [time] by hidden states [time, hidden]."""
        parts = []
        for some, wanted in zip(
            torch.split(hidden, LOGIT_ROWS), torch.split(targets, LOGIT_ROWS), strict=True
        ):
            logits = self._model.network.logits(some)
            parts.append(logits.gather(1, wanted[:, None])[:, 0] - logits.logsumexp(1))
        result: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
        return result


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many first codes are equal."""
    count = min(len(a), len(b))
    if a[:count] == b[:count]:
        return count
    return next(i for i in range(count) if a[i] != b[i])
