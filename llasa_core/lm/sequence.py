"""A speech sequence: one candidate of one request while it is generated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from llasa_core.lm.lineage import Lineage
from llasa_core.lm.prefix import Prefix


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids of one request (see `build_prompt`); `request_id` and `seed` decide its randomness."""

    ids: Sequence[int]
    request_id: str = "0"
    seed: int = 0


@dataclass(slots=True)
class CachedTokens:
    """Tokens behind a prefix whose keys and values a slot of the KV cache holds, or a sequence needs."""

    prefix: Prefix | None = None
    ids: list[int] = field(default_factory=list)

    def common_length(self, other: CachedTokens) -> int:
        """Number of first tokens that are equal; 0 behind another prefix."""
        if self.prefix is not other.prefix:
            return 0
        count = min(len(self.ids), len(other.ids))
        if self.ids[:count] == other.ids[:count]:
            return count
        return next(i for i in range(count) if self.ids[i] != other.ids[i])


@dataclass(slots=True, eq=False)
class SpeechSequence:
    """The tokens of one candidate. Its random numbers follow from seed, request id and lineage."""

    request_id: str
    seed: int
    prefix: Prefix
    """Every token of the prompt but its last one."""
    token_ids: list[int]
    """Model token ids behind the prefix: the last one of the prompt, then the speech. The last is not run
    yet."""
    max_tokens: int
    """Number of codes at which the sequence stops."""
    codes: tuple[int, ...] = ()
    """Speech codes 0 .. n_codes - 1, without the prompt and the end token."""
    lineage: Lineage = ()
    ended: bool = False
    """Whether the end token was sampled."""
    slot: int = -1
    """Slot of the KV cache in which it last was; other sequences may have taken the slot since."""
    tokens_recomputed: int = 0
    """Tokens that were run again because the cache no longer held their keys and values."""

    @property
    def finished(self) -> bool:
        """Whether it has ended or reached `max_tokens`."""
        return self.ended or self.tokens_left <= 0

    @property
    def tokens_left(self) -> int:
        """Tokens until `max_tokens`."""
        return self.max_tokens - len(self.codes)

    @property
    def cached(self) -> CachedTokens:
        """The tokens whose keys and values the next step needs."""
        return CachedTokens(self.prefix, self.token_ids[:-1])
