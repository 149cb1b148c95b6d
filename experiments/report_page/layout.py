"""Where the nodes of a search tree lie: the best branch straight along the top, pruned ones as fans in the
gaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from experiments.report_page.tree import Node, Tree

BIN = 5
"""Codes that are laid out as one."""
LANE = 15.0
"""Height of a candidate, in pixels."""
BRANCH = 22.0
"""Height of a branch that went on, in pixels: a number stands above its end."""
TWIG = 5.0
"""Height of a pruned branch, in pixels."""


@dataclass(slots=True)
class _Block:
    """A subtree that moves as one: y of its nodes, the bins each covers, and top and bottom of it in each
    bin.
    """

    top: NDArray[np.float64]
    bottom: NDArray[np.float64]
    lanes: dict[int, float] = field(default_factory=dict)
    spans: list[tuple[int, int, float, float]] = field(default_factory=list)

    def add(self, first: int, last: int, y: float, height: float) -> None:
        self.spans.append((first, last, y - height / 2, y + height / 2))
        self.top[first:last] = np.minimum(self.top[first:last], y - height / 2)
        self.bottom[first:last] = np.maximum(self.bottom[first:last], y + height / 2)

    def hang(self, other: _Block) -> None:
        """Adds another block as high up as it fits, but not above y = 0."""
        room = self.bottom - other.top
        shift = max(0.0, float(room.max(initial=0.0)))
        self.lanes |= {index: y + shift for index, y in other.lanes.items()}
        self.spans += [(first, last, top + shift, bottom + shift) for first, last, top, bottom in other.spans]
        self.top = np.minimum(self.top, other.top + shift)
        self.bottom = np.maximum(self.bottom, other.bottom + shift)

    def free(self, first: int, last: int, height: float) -> float:
        """The middle of the first free place of that height at or below y = 0."""
        taken = sorted((top, bottom) for a, b, top, bottom in self.spans if a < last and first < b)
        place = 0.0
        for top, bottom in taken:
            if top - place >= height:
                break
            place = max(place, bottom)
        return place + height / 2


def lanes(tree: Tree, liking: Mapping[int, float]) -> tuple[dict[int, float], float]:
    """(y of each node by index, height of all), in pixels. liking: by index, 1 the best: what comes first.

    The child that leads to the best candidate goes on along its parent's lane, the other survivors and
    candidates below it, the best first; pruned ones fill the gaps between them. No two nodes overlap.
    """
    if not tree.nodes:
        return {}, 0.0
    bins = max(node.end for node in tree.nodes) // BIN + 2
    best = _best_ranks(tree, liking)
    everything = _family(tree, tree.roots, best, _empty(bins))
    above = float(everything.top.min())
    height = float(everything.bottom.max()) - above
    return {index: round(y - above, 1) for index, y in everything.lanes.items()}, height


def _family(tree: Tree, children: list[int], best: dict[int, tuple[float, float]], block: _Block) -> _Block:
    """The block with the children added."""
    strong = [index for index in children if tree.nodes[index].role != "pruned"]
    for index in sorted(strong, key=lambda index: best[index]):
        block.hang(_subtree(tree, index, best, len(block.top)))
    for index in sorted(set(children) - set(strong), key=lambda index: best[index]):
        first, last = _bins(tree.nodes[index], len(block.top))
        block.lanes[index] = block.free(first, last, TWIG)
        block.add(first, last, block.lanes[index], TWIG)
    return block


def _subtree(tree: Tree, index: int, best: dict[int, tuple[float, float]], bins: int) -> _Block:
    block = _empty(bins)
    block.lanes[index] = 0.0
    node = tree.nodes[index]
    block.add(*_bins(node, bins), 0.0, LANE if node.candidate else BRANCH)
    return _family(tree, tree.nodes[index].children, best, block)


def _bins(node: Node, bins: int) -> tuple[int, int]:
    """A candidate has its lane to the right end, where its label is."""
    first = node.start // BIN
    return first, bins if node.candidate else max(first + 1, -(-node.end // BIN))


def _empty(bins: int) -> _Block:
    return _Block(np.full(bins, np.inf), np.full(bins, -np.inf))


def _best_ranks(tree: Tree, liking: Mapping[int, float]) -> dict[int, tuple[float, float]]:
    """For sorting, by node: the best rank of a candidate that goes through it, then how little it is
    liked.
    """
    ranks: dict[int, float] = {}
    for index, node in enumerate(tree.nodes):
        own = float(node.candidate.rank) if node.candidate else np.inf
        for ancestor in tree.path(index):
            ranks[ancestor] = min(ranks.get(ancestor, own), own)
    return {index: (rank, -liking.get(index, 0.0)) for index, rank in ranks.items()}
