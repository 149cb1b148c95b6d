"""Best-of-N against a world without models."""

import pytest

from search.asks import Beam, Branch, Choice, Extend, Measure, Start
from search.strategies.best_of_n import BestOfN
from tests.search.fake_world import FakeSession, branch_of, carry_out
from verifiers.selection.parse import parse_selection

WER = {0: 0.5, 1: 0.0, 2: 0.25, 3: 0.0}
SIM = {0: 0.9, 1: 0.2, 2: 0.8, 3: 0.7}
METRICS = {"wer": False, "sim": True}


def value(verifier: str, beam: Beam) -> float:
    return {"wer": WER, "sim": SIM}[verifier][branch_of(beam)]


def search(n: int, rule: str, verifiers: tuple[str, ...] = ("wer", "sim")) -> tuple[Choice, FakeSession]:
    world = FakeSession(length=lambda k: 10 + k, value=value)
    choice, _ = carry_out(
        BestOfN(
            n=n,
            verifiers=verifiers,
            selection=parse_selection(rule, {name: METRICS[name] for name in verifiers}),
        ),
        world,
    )
    return choice, world


def test_it_asks_exactly_this() -> None:
    choice, world = search(4, "wer<=0,sim")
    root = Beam((), ())
    branched = tuple(Beam(((0, k),) if k else (), ()) for k in range(4))
    assert world.asks == [
        Start(),
        Branch((root,), 4),
        Extend(branched, None),
        Measure(choice.beams, "wer", False),
        Measure(choice.beams, "sim", False),
    ]
    assert all(beam.finished for beam in choice.beams)


@pytest.mark.parametrize(
    ("rule", "winner", "satisfied"),
    [("wer<=0,sim", 3, True), ("wer<=0.3,sim", 2, True), ("sim", 0, True), ("sim>=0.95,wer", 0, False)],
)
def test_the_rule_chooses(rule: str, winner: int, satisfied: bool) -> None:
    choice, _ = search(4, rule)
    assert choice.ranking[0] == winner
    assert choice.satisfied is satisfied
    assert sorted(choice.ranking) == [0, 1, 2, 3]


def test_more_candidates_never_change_the_first_ones() -> None:
    few, _ = search(2, "wer")
    many, _ = search(4, "wer")
    assert many.beams[:2] == few.beams
    assert many.scores["wer"][:2] == few.scores["wer"]


def test_ties_go_to_the_first_candidate() -> None:
    choice, _ = search(4, "wer", ("wer",))
    assert choice.ranking == (1, 3, 2, 0)
