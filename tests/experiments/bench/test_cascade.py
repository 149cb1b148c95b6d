"""The benchmark of cascades: winners, losses and costs from the scores of searches."""

from pathlib import Path

import pytest

from experiments.bench import cascade
from experiments.bench.cascade import Heard, Record, chosen, compared
from experiments.bench.speech import SENTENCES, requests
from experiments.files import Log

DIRECTIONS = {"wer": False, "sim": True, "cheap": False}
COSTS = {"generator": 2.0, "codec": 1.0, "verifier wer": 8.0, "verifier sim": 4.0, "verifier cheap": 0.4}


def heard(value: float | None, logp: float | None = None) -> Heard:
    return Heard(value=value, usable=value is not None, short=False, logp=logp)


def record(wer: list[float], sim: list[float], cheap: list[float], text: str = "Hi.") -> Record:
    scores = {"wer": wer, "sim": sim, "cheap": cheap}
    return Record(
        text=text,
        seed=7,
        scores={name: [heard(value) for value in values] for name, values in scores.items()},
        wall=COSTS,
        flops={part: 10 * seconds for part, seconds in COSTS.items()},
    )


def test_a_stage_that_keeps_the_winner() -> None:
    """Two of four are heard: costs are those of a candidate, the stage's of all four."""
    found = compared(
        record([0, 1, 0, 1], [0.9, 0.5, 0.7, 0.1], [0, 1, 0.5, 1]), "cheap", 0.5, cascade.RULE, DIRECTIONS
    )
    assert found.same
    assert (found.heard, found.error, found.similarity) == (0.5, 0.0, 0.0)
    assert found.flops == pytest.approx((40 + 20 + 4) / 120)
    assert found.seconds == pytest.approx((4 + 2 + 0.4) / 12)
    assert found.search == pytest.approx((3 + 6.4) / (3 + 12))


def test_a_stage_that_drops_it_says_what_is_lost() -> None:
    found = compared(
        record([0, 0, 1, 1], [0.9, 0.5, 0.7, 0.1], [1, 0, 0, 1]), "cheap", 0.5, cascade.RULE, DIRECTIONS
    )
    assert not found.same
    assert (found.error, found.similarity) == (0.0, pytest.approx(0.4))


def test_all_are_heard_where_none_passes() -> None:
    one = record([0.5, 0.25, 1, 1], [0.9, 0.5, 0.7, 0.1], [0, 1, 0.2, 0.3])
    found = compared(one, "cheap", 0.25, cascade.RULE, DIRECTIONS)
    assert found.same and found.heard == 1.0 and found.flops > 1
    choice, asked = chosen(one, f"keep(cheap=0.25),{cascade.RULE}", DIRECTIONS)
    assert not choice.satisfied
    assert asked == {"cheap": 4, "wer": 4, "sim": 4}


def test_the_table_is_printed_from_the_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Log(tmp_path / "records.jsonl") as log:
        for k in range(3):
            one = record([0, 1, 0, 1], [0.9, 0.5, 0.7, 0.1], [0, 1, 0.5, 1], text=f"Number {k}.")
            scores = {"wer-nano" if name == "cheap" else name: own for name, own in one.scores.items()}
            log.append(one.model_copy(update={"scores": scores}).model_dump())
    given = ["--out", str(tmp_path), "--table", "--share", "0.5", "--stage", "whisper:nano?name=wer-nano"]
    assert cascade.main([*given, "--ear", "whisper:nano"]) == 0
    shown = capsys.readouterr().out
    assert "3 searches of 4 candidates" in shown
    assert "keep(wer-nano=0.5)" in shown and "3 of 3" in shown
    assert cascade.main(["--out", str(tmp_path / "none"), "--table", "--ear", "whisper:nano"]) == 2


def test_sentences_begin_again_with_the_next_seed() -> None:
    count = len(SENTENCES.read_text("utf-8").splitlines())
    found = requests(count + 2, 7)
    assert [one.seed for one in found[-3:]] == [7, 8, 8]
    assert found[count].text == found[0].text
    assert len({one.id for one in found}) == len(found)


@pytest.mark.parametrize(("rule", "lacks"), [("wer", "sim"), ("sim", "wer")])
def test_a_rule_without_what_the_table_tells_is_refused(
    rule: str, lacks: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cascade.main(["--out", str(tmp_path), "--rule", rule, "--table"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: --rule {rule}") and error.rstrip().endswith(f"add {lacks}")
