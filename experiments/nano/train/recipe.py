"""Settings of the generator's training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Settings of one training; the defaults are those of the shipped model."""

    steps: int
    seed: int = 0
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    inner: int = 768
    tokens: int = 4096
    learning_rate: float = 3e-3
    guided_layers: tuple[int, ...] = (2, 3)
    guide: float = 1.0
    auxiliary: float = 0.5
    late: float = 0.3
    noise: float = 0.1
    pairs: float = 0.5
    dropped_text: float = 0.06
    buckets: tuple[int, ...] = (128, 192, 256, 352, 480, 768)
    levels: tuple[int, ...] = ()
    """Of the numbers whose digits a speech code is made of, the first changing fastest: codes that share a
    digit share a part of their embedding while the model is trained. () shares nothing."""

    @property
    def longest(self) -> int:
        """Tokens of the longest document."""
        return self.buckets[-1]

    def bucket(self, length: int) -> int | None:
        """The smallest bucket that holds a document, if there is one."""
        return next((size for size in self.buckets if length <= size), None)
