"""The ledger adds up, also when beams share a start and are pruned."""

import json

import pytest

from search.asks import Beam, Branch, Extend, Start
from search.cost.ledger import Ledger, distinct_tokens
from tests.search.fake_world import FakeSession


def test_shared_starts_count_once() -> None:
    stem = (1, 2, 3)
    elder = Beam((), (*stem, 4, 5))
    younger = Beam(((3, 1),), (*stem, 6, 7, 8))
    assert distinct_tokens([elder]) == 5
    assert distinct_tokens([elder, younger]) == 3 + 2 + 3
    assert distinct_tokens([elder, elder]) == 5
    assert distinct_tokens([]) == 0


def test_generated_is_kept_and_pruned() -> None:
    world = FakeSession(length=lambda k: 40, value=lambda name, beam: 0.0)
    root = world.answer(Start())
    beams = world.answer(Extend(world.answer(Branch((root,), 3)), 10))
    survivors = world.answer(Extend(world.answer(Branch(beams[:2], 2)), 10))
    final = survivors[1:3]  # both copies' parents survive, one child of each
    world.ledger.close(final)
    assert world.ledger.tokens_generated == 3 * 10 + 4 * 10
    assert world.ledger.tokens_kept == 2 * 20
    assert world.ledger.tokens_pruned == 30
    assert world.ledger.as_dict()["tokens_pruned"] == 30


def test_time_is_added_by_part_also_after_an_error() -> None:
    ledger = Ledger()
    with ledger.timed("codec"):
        pass
    first = ledger.wall["codec"]
    with pytest.raises(RuntimeError), ledger.timed("codec"):
        raise RuntimeError
    assert ledger.wall["codec"] > first >= 0.0


def test_it_is_json() -> None:
    ledger = Ledger(tokens_generated=7, seconds_scored={"wer": 1.23456})
    assert json.loads(json.dumps(ledger.as_dict()))["seconds_scored"] == {"wer": 1.2346}


def test_what_was_spent_elsewhere_is_added_and_drained_once() -> None:
    far = Ledger(tokens_generated=7, beams_moved=1, seconds_scored={"wer": 1.0}, wall={"codec": 2.0})
    here = Ledger(tokens_generated=3, seconds_scored={"wer": 0.5}, flops={"codec": 1e9})
    taken = far.drained()
    assert far == Ledger()
    far.add_time("codec", 1.0)  # what is drained is a copy
    here.add(taken)
    here.add(far.drained())
    assert here == Ledger(
        tokens_generated=10,
        beams_moved=1,
        seconds_scored={"wer": 1.5},
        wall={"codec": 3.0},
        flops={"codec": 1e9},
    )
