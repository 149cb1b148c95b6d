"""Process rewards: beams grow a step at a time, the best of each group are continued, the others are dropped.

Beam search is one group, diverse verifier tree search a group for each sub-tree, partial PRM a beam search
that stops early. What is decided here holds for all of them:

- Scores of partial utterances are compared at equal length only. The beams of a group have grown together,
  so all that
  run have the same number of tokens; one that has ended leaves the group and is never ranked against
  running ones.
- A beam that ended is not lost: it is a candidate, with the others that end, and is measured as what it is,
  complete.
- A group stops when none of its beams runs any more, or when as many have ended as it is wide (`keep *
  copies`), which is as many candidates as best-of-N has. Until then it goes on at full width, so that it may
  yield up to twice as many, less one. What still runs then is dropped.
- A group of at most `keep` running beams is not measured: there is nothing to prune.
- Where no beam of a group can be judged (all too short, or still silent) nothing is pruned and nothing
  branched: the
  group goes on as it is.
- Ties go to the first by lineage, and equal beams are measured once.
"""

import math
from collections.abc import Sequence

from search.asks import Beam, Beams, Work, branch, extend
from search.strategies.candidates import Known, in_order, measured
from verifiers.selection.parse import Selection


def grow(
    groups: Sequence[Beams], *, keep: int, copies: int, step: int, prm: Selection, steps: float = math.inf
) -> Work[tuple[Beams, Beams]]:
    """Grows all groups in lockstep. Answer: the beams that ended, and those that run after the last step.

    groups: beams that compete with each other, all of the same number of tokens. Every `step` tokens the
    `keep` best of each, by `prm` over its metrics on the partial utterances, are branched `copies` times.
    steps: how often.
    """
    ended: list[list[Beam]] = [[] for _ in groups]
    done = 0
    while done < steps and any(groups):
        grown = yield from extend(_flat(groups), step)
        running = []
        for group, old in zip(grouped(grown, [len(group) for group in groups]), ended, strict=True):
            old += [beam for beam in group if beam.finished]
            full = len(old) >= keep * copies
            running.append(() if full else in_order(beam for beam in group if not beam.finished))
        groups = yield from _pruned_and_branched(running, keep, copies, prm)
        done += 1
    return _flat(ended), _flat(groups)


def grouped(beams: Beams, sizes: Sequence[int]) -> list[Beams]:
    """Neighbours together, so many at a time."""
    rest = iter(beams)
    return [tuple(next(rest) for _ in range(size)) for size in sizes]


def _pruned_and_branched(
    groups: Sequence[Beams], keep: int, copies: int, prm: Selection
) -> Work[list[Beams]]:
    """Asks for all groups at once, so that they share the batches of the models."""
    known: dict[str, Known] = {metric: {} for metric in prm.metrics}
    crowded = _flat([group for group in groups if len(group) > keep])
    if crowded:
        for metric in prm.metrics:
            yield from measured(crowded, metric, partial=True, known=known[metric])
    kept = [_best(group, keep, prm, known) for group in groups]
    survivors = [chosen or () for chosen in kept]
    branched: Beams = ()
    if any(survivors):
        branched = yield from branch(_flat(survivors), copies)
    continued = grouped(branched, [len(chosen) * copies for chosen in survivors])
    return [old if chosen is None else new for old, chosen, new in zip(groups, kept, continued, strict=True)]


def _best(group: Beams, keep: int, prm: Selection, known: dict[str, Known]) -> Beams | None:
    """Those to branch, in lineage order; None if none of them can be judged."""
    if len(group) <= keep:
        return group
    scores = {metric: [found[beam.tokens] for beam in group] for metric, found in known.items()}
    if not any(all(score.usable for score in of_beam) for of_beam in zip(*scores.values(), strict=True)):
        return None
    return tuple(group[i] for i in sorted(prm.rank(scores).order[:keep]))


def _flat(groups: Sequence[Sequence[Beam]]) -> Beams:
    return tuple(beam for group in groups for beam in group)
