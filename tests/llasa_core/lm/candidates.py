"""Sequences as a search makes them: candidates of a prompt, and copies of a candidate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from llasa_core.lm.lineage import Lineage, branched
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sequence import Prompt, SpeechSequence


def candidates(runner: ModelRunner, prompt: Prompt, count: int) -> list[SpeechSequence]:
    """So many sequences of one prompt."""
    return fork(runner, [runner.prefill(prompt)] * count)


def fork(
    runner: ModelRunner, sequences: Sequence[SpeechSequence], numbers: Sequence[int] | None = None
) -> list[SpeechSequence]:
    """A copy of each sequence; finished ones stay as they are. Copies of one sequence are numbered from 0."""
    counts: Counter[tuple[str, Lineage, int]] = Counter()
    copied = []
    for k, sequence in enumerate(sequences):
        key = sequence.request_id, sequence.lineage, len(sequence.codes)
        number = counts[key] if numbers is None else numbers[k]
        counts[key] += 1
        if not sequence.finished:
            lineage = branched(sequence.lineage, len(sequence.codes), number)
            sequence = runner.resume(sequence, sequence.codes, lineage, slot=sequence.slot)
        copied.append(sequence)
    return copied


def tokens(sequences: Sequence[SpeechSequence]) -> list[tuple[int, ...]]:
    """The codes of each sequence."""
    return [sequence.codes for sequence in sequences]
