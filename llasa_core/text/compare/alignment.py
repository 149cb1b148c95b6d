"""The smallest number of word errors between two texts when equivalent stretches are no error."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from llasa_core.text.compare.words import Words, difference

Match: TypeAlias = tuple[int, int, str]
"""Words of the reference, words of the hypothesis, the name of the equivalence."""
Matches: TypeAlias = Callable[[int, int], list[Match]]

_ERROR, _USE = 1000, 1
"""An equivalence costs a little, so that none is used where words are equal as they are."""
_ANCHOR, _MARGIN = 6, 2
"""So many equal words in a row are taken as aligned, but for those at the margins: long texts stay cheap."""


@dataclass(frozen=True, slots=True)
class Step:
    """One stretch of the alignment. position: index of its first word in the reference.

    kind: "hit", "substitution", "deletion" or "insertion". equivalence: why it is a hit.
    """

    kind: str
    position: int
    expected: tuple[str, ...]
    heard: tuple[str, ...]
    equivalence: str = ""


def align(reference: Words, hypothesis: Words, matches: Matches) -> list[Step]:
    """The steps from the first word to the last."""
    if reference.keys == hypothesis.keys:
        return [_hit(reference, hypothesis, index, index) for index in range(len(reference.words))]
    steps: list[Step] = []
    i = j = 0
    for anchor_i, anchor_j, length in [
        *_anchors(reference, hypothesis),
        (len(reference.words), len(hypothesis.words), 0),
    ]:
        steps += _between(reference, hypothesis, matches, (i, anchor_i), (j, anchor_j))
        steps += [_hit(reference, hypothesis, anchor_i + k, anchor_j + k) for k in range(length)]
        i, j = anchor_i + length, anchor_j + length
    return steps


def best_prefix(reference: Words, hypothesis: Words, matches: Matches) -> tuple[int, list[Step]]:
    """Length and steps of the prefix nearest to the hypothesis, of equally near ones the longest."""
    n, m = len(reference.words), len(hypothesis.words)
    limit = min(n, 2 * m + 12)
    costs, back = _table(reference, hypothesis, matches, (0, limit), (0, m))
    errors = [costs[i][m] // _ERROR for i in range(limit + 1)]
    best = min(errors)
    end = max(i for i, found in enumerate(errors) if found == best)
    return end, _trace(reference, hypothesis, back, 0, 0, end, m)


def _anchors(reference: Words, hypothesis: Words) -> list[tuple[int, int, int]]:
    """Long runs of equal words, without their margins."""
    if len(reference.words) * len(hypothesis.words) < 100:
        return []
    from rapidfuzz.distance import Levenshtein

    blocks = Levenshtein.opcodes(reference.keys, hypothesis.keys)
    inner = [
        (block.src_start + _MARGIN, block.dest_start + _MARGIN, block.src_end - block.src_start - 2 * _MARGIN)
        for block in blocks
        if block.tag == "equal" and block.src_end - block.src_start >= _ANCHOR
    ]
    return [
        (i, j, length)
        for i, j, length in inner
        if not _cuts(reference, i, length) and not _cuts(hypothesis, j, length)
    ]


def _cuts(words: Words, start: int, length: int) -> bool:
    """Whether a span lies across one end of the block."""
    return any(
        first < edge < first + span.length
        for first, span in words.spans.items()
        for edge in (start, start + length)
    )


def _between(
    reference: Words, hypothesis: Words, matches: Matches, rows: tuple[int, int], columns: tuple[int, int]
) -> list[Step]:
    if rows[0] == rows[1] and columns[0] == columns[1]:
        return []
    _, back = _table(reference, hypothesis, matches, rows, columns)
    height, width = rows[1] - rows[0], columns[1] - columns[0]
    return _trace(reference, hypothesis, back, rows[0], columns[0], height, width)


Back: TypeAlias = Sequence[Sequence[tuple[int, int, str]]]


def _table(
    reference: Words, hypothesis: Words, matches: Matches, rows: tuple[int, int], columns: tuple[int, int]
) -> tuple[list[list[int]], Back]:
    expected = [word.key for word in reference.words[rows[0] : rows[1]]]
    heard = [word.key for word in hypothesis.words[columns[0] : columns[1]]]
    height, width = len(expected), len(heard)
    far = _ERROR * (height + width + 1)
    costs = [[far] * (width + 1) for _ in range(height + 1)]
    back = [[(0, 0, "")] * (width + 1) for _ in range(height + 1)]
    costs[0][0] = 0

    def reach(i: int, j: int, cost: int, step: tuple[int, int, str]) -> None:
        if cost < costs[i][j]:
            costs[i][j], back[i][j] = cost, step

    for i in range(height + 1):
        row = costs[i]
        for j in range(width + 1):
            cost = row[j]
            if i < height and j < width:
                if expected[i] == heard[j]:
                    reach(i + 1, j + 1, cost, (1, 1, ""))
                else:
                    reach(i + 1, j + 1, cost + _ERROR, (1, 1, "substitution"))
                for a, b, name in matches(rows[0] + i, columns[0] + j):
                    if i + a <= height and j + b <= width:
                        reach(i + a, j + b, cost + _USE, (a, b, name))
            if i < height:
                reach(i + 1, j, cost + _ERROR, (1, 0, "deletion"))
            if j < width:
                reach(i, j + 1, cost + _ERROR, (0, 1, "insertion"))
    return costs, back


def _trace(
    reference: Words, hypothesis: Words, back: Back, first_i: int, first_j: int, i: int, j: int
) -> list[Step]:
    steps = []
    while i or j:
        a, b, name = back[i][j]
        i, j = i - a, j - b
        if name == "" and a == b == 1:
            steps.append(_hit(reference, hypothesis, first_i + i, first_j + j))
            continue
        kind = name if name in ("substitution", "deletion", "insertion") else "hit"
        expected = tuple(word.text for word in reference.words[first_i + i : first_i + i + a])
        heard = tuple(word.text for word in hypothesis.words[first_j + j : first_j + j + b])
        steps.append(Step(kind, first_i + i, expected, heard, name if kind == "hit" else ""))
    return steps[::-1]


def _hit(reference: Words, hypothesis: Words, i: int, j: int) -> Step:
    expected, heard = reference.words[i], hypothesis.words[j]
    return Step("hit", i, (expected.text,), (heard.text,), difference(expected, heard))
