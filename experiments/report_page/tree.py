"""The tree of a search, read from its trace: who continued whom, what survived, and every score on the
way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from search.asks import Beam
from search.results.candidate import Candidate
from search.results.trace import Step, node_id

Role: TypeAlias = Literal["candidate", "kept", "survivor", "pruned"]
"""A complete utterance of the result; a start of one; one that was continued, in vain; one that was not
continued.
"""
Pairs: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Node:
    """A stretch of speech codes, [start, end), 50 a second, that continues its parent (None: the prompt).

    parent and children are indices into the tree. A child usually begins where its parent ends; one that was
    wound back begins earlier. `scores` holds records of value, usable, reason, verifier and partial.
    """

    id: str
    start: int
    codes: tuple[int, ...]
    finished: bool = False
    cut_off: bool = False
    parent: int | None = None
    children: list[int] = field(default_factory=list)
    role: Role = "pruned"
    candidate: Candidate | None = None
    scores: list[dict[str, Any]] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.start + len(self.codes)


@dataclass(frozen=True, slots=True)
class Tree:
    """All nodes, in the order in which they were made."""

    nodes: tuple[Node, ...]

    @property
    def roots(self) -> list[int]:
        return [index for index, node in enumerate(self.nodes) if node.parent is None]

    def path(self, index: int) -> list[int]:
        """The node and its ancestors, the earliest first."""
        found = [index]
        while (parent := self.nodes[found[-1]].parent) is not None:
            found.append(parent)
        return found[::-1]

    def codes(self, index: int) -> list[int] | None:
        """All codes from the start of the utterance to the end of the node; None if the trace lacks some."""
        codes: list[int] = []
        for step in self.path(index):
            node = self.nodes[step]
            if node.start > len(codes):
                return None
            codes[node.start :] = node.codes
        return codes

    def is_leaf(self, index: int) -> bool:
        """Whether nothing continues the node from its end."""
        node = self.nodes[index]
        return all(self.nodes[child].start < node.end for child in node.children)

    def whole_ancestors(self, leaf: int) -> Iterable[int]:
        """The nodes that are heard up to their end when the leaf is heard, the leaf itself first."""
        cut = self.nodes[leaf].end
        for index in reversed(self.path(leaf)):
            if self.nodes[index].end <= cut:
                yield index
            cut = min(cut, self.nodes[index].start)


def read_tree(steps: Sequence[Step], candidates: Sequence[Candidate]) -> Tree:
    """The tree of the steps. A candidate that the steps do not mention becomes a node of its own."""
    by_id: dict[str, Node] = {}
    parents: dict[str, str] = {}
    for step in steps:
        for record in step.nodes:
            name = str(record["id"])
            if name in by_id:  # ended without another code, or asked for a second time
                by_id[name].finished |= bool(record["finished"])
                by_id[name].cut_off |= bool(record["cut_off"])
            elif record["codes"] or name != record["parent"]:
                by_id[name] = Node(
                    name, record["start"], tuple(record["codes"]), record["finished"], record["cut_off"]
                )
                parents[name] = record["parent"]
    for candidate in candidates:
        name = node_id(Beam(candidate.lineage, candidate.tokens))
        node = by_id.setdefault(name, Node(name, 0, candidate.tokens, True, candidate.cut_off))
        node.candidate = candidate
    tree = Tree(tuple(by_id.values()))
    _connect(tree, parents)
    _add_scores(by_id, steps, candidates)
    return tree


def _connect(tree: Tree, parents: dict[str, str]) -> None:
    """Sets parents, children and roles."""
    index_of = {node.id: index for index, node in enumerate(tree.nodes)}
    for index, node in enumerate(tree.nodes):
        parent = parents.get(node.id, "@0")
        node.parent = index_of.get(parent)
        if node.parent is None and node.start:
            node.parent = _inside(tree.nodes, parent)
        if node.parent is not None:
            tree.nodes[node.parent].children.append(index)
    for index, node in enumerate(tree.nodes):
        if node.candidate is not None:
            for ancestor in tree.path(index):
                tree.nodes[ancestor].role = "kept"
    for node in tree.nodes:
        if node.candidate is not None:
            node.role = "candidate"
        elif node.role == "pruned" and node.children:
            node.role = "survivor"


def _inside(nodes: Sequence[Node], name: str) -> int | None:
    """The node in whose middle the beam of that name lies: what a beam was when it was wound back."""
    lineage, length = parse_id(name)
    for index, node in enumerate(nodes):
        pairs, _ = parse_id(node.id)
        if node.start < length <= node.end and tuple(pair for pair in pairs if pair[0] < length) == lineage:
            return index
    return None


def parse_id(name: str) -> tuple[Pairs, int]:
    """(lineage, number of tokens) of what `search.results.trace.node_id` wrote."""
    lineage, _, length = name.rpartition("@")
    pairs = (pair.split("-") for pair in lineage.split(".") if pair)
    return tuple((int(position), int(branch)) for position, branch in pairs), int(length)


def _add_scores(by_id: dict[str, Node], steps: Sequence[Step], candidates: Sequence[Candidate]) -> None:
    """The scores of the trace, then those of the candidates that it does not have."""
    seen: set[tuple[str, str, bool]] = set()
    for step in steps:
        for record in step.scores:
            node = by_id.get(str(record["id"]))
            if node is not None and (node.id, step.verifier, step.partial) not in seen:
                seen.add((node.id, step.verifier, step.partial))
                node.scores.append(
                    {
                        "verifier": step.verifier,
                        "partial": step.partial,
                        **{key: value for key, value in record.items() if key != "id"},
                    }
                )
    for node in by_id.values():
        for verifier, score in node.candidate.scores.items() if node.candidate else ():
            if (node.id, verifier, False) not in seen:
                node.scores.append(
                    {
                        "verifier": verifier,
                        "partial": False,
                        "value": score.value,
                        "usable": score.usable,
                        "reason": score.reason,
                    }
                )
