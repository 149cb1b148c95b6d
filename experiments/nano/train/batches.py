"""Batches of documents for the training of the generator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.nano.data.documents import IGNORE, Document, DocumentBuilder, Piece
from experiments.nano.train.recipe import Recipe
from experiments.nano.train.training import rng


class Batches:
    """Batches of one bucket each, drawn so that step ``n`` is the same in a run and in its resumption."""

    def __init__(
        self, builder: DocumentBuilder, pieces: list[Piece], groups: list[str], recipe: Recipe
    ) -> None:
        """``groups[i]`` names the voice and style of ``pieces[i]``: only pieces of one group are joined."""
        self.builder, self.pieces, self.recipe = builder, pieces, recipe
        self.groups = groups
        self.members: dict[str, list[int]] = {}
        for i, group in enumerate(groups):
            self.members.setdefault(group, []).append(i)
        self._stream: Iterator[list[Document]] | None = None
        self._next = 0

    def __call__(self, step: int) -> dict[str, torch.Tensor]:
        """The batch of a step, on the CPU."""
        if self._stream is None or step != self._next:
            self._stream = self._run(step)
        self._next = step + 1
        documents = next(self._stream)
        return collate(documents, rng(self.recipe.seed, step), self.recipe.noise, self.builder, self.recipe)

    def _run(self, step: int) -> Iterator[list[Document]]:
        epoch = 0
        while True:
            batches = self._epoch(epoch)
            yield from batches[step:]
            step, epoch = max(0, step - len(batches)), epoch + 1

    def _epoch(self, epoch: int) -> list[list[Document]]:
        generator = np.random.default_rng([self.recipe.seed, 1, epoch])
        buckets: dict[int, list[Document]] = {size: [] for size in self.recipe.buckets}
        batches: list[list[Document]] = []
        for i in generator.permutation(len(self.pieces)):
            chosen = [self.pieces[i]]
            if generator.random() < self.recipe.pairs:
                group = self.members[self.groups[i]]
                other = self.pieces[group[generator.integers(len(group))]]
                if sum(len(p.codes) + len(p.text) for p in (other, chosen[0])) + 12 <= self.recipe.longest:
                    chosen = [other, chosen[0]]
            document = self.builder.document(chosen, generator.random() < self.recipe.dropped_text)
            size = self.recipe.bucket(len(document.ids))
            if size is None:
                continue
            buckets[size].append(document)
            if len(buckets[size]) == self.recipe.tokens // size:
                batches.append(buckets[size])
                buckets[size] = []
        return [batches[k] for k in generator.permutation(len(batches))]


def collate(
    documents: list[Document],
    generator: np.random.Generator,
    noise: float,
    builder: DocumentBuilder,
    recipe: Recipe,
) -> dict[str, torch.Tensor]:
    """Pad to the bucket; in 80 % of documents up to ``2 * noise`` of the input codes are replaced at
    random.
    """
    size = recipe.bucket(max(len(d.ids) for d in documents))
    assert size is not None
    rows: dict[str, list[NDArray[Any]]] = {}
    for d in documents:
        ids, pad = d.ids.copy(), size - len(d.ids)
        if noise and generator.random() < 0.8:
            share = generator.random() * 2 * noise
            hit = np.flatnonzero(generator.random(len(ids) - d.speech_start - 1) < share) + d.speech_start
            ids[hit] = builder.first_code + generator.integers(
                len(builder.tokenizer) - builder.first_code, size=len(hit)
            )
        is_text = np.arange(size) < d.speech_start - 1
        rows.setdefault("ids", []).append(np.pad(ids, (0, pad), constant_values=builder.end))
        rows.setdefault("is_text", []).append(is_text)
        rows.setdefault("attend", []).append(np.pad(d.attend, ((0, 0), (0, pad)), constant_values=IGNORE))
        for name in ("target", "sound", "next_state", "next_word"):
            rows.setdefault(name, []).append(np.pad(getattr(d, name), (0, pad), constant_values=IGNORE))
    return {name: torch.from_numpy(np.stack(values)) for name, values in rows.items()}
