"""The benchmark of windows: what counts as another reading, and which candidate each reading chooses."""

import pytest

from experiments.bench import window
from experiments.bench.window import Reading, apart, choices, with_window, words
from verifiers.base import Score


def reading(*groups: list[tuple[float, str]]) -> Reading:
    scores = tuple(tuple(Score(value, {"transcript": text}) for value, text in group) for group in groups)
    return Reading(scores, tuple(1.0 for _ in groups))


def test_words_are_compared_without_case_and_marks() -> None:
    assert (
        words(Score(0.0, {"transcript": " It's the Train, isn't it?"})) == "it's the train isn't it".split()
    )
    assert words(Score(1.0, usable=False)) == []


def test_what_changed() -> None:
    whole = reading([(0.0, "The train."), (0.5, "a b c d")], [(1.0, "")])
    found = reading([(0.0, "the train"), (0.5, "a b c e")], [(1.0, "")])
    changed, words_apart = apart(found, whole)
    assert changed.mean == pytest.approx(1 / 3)
    assert words_apart.mean == pytest.approx(0.25 / 3)


def test_a_choice_is_judged_by_who_did_not_choose() -> None:
    found = reading([(0.5, "a"), (0.0, "b")], [(0.1, "c"), (0.2, "d")])
    judged = reading([(0.0, "a"), (0.3, "b")], [(0.4, "c"), (0.0, "d")])
    assert choices(found, judged) == [0.3, 0.4]


def test_options_of_the_model_stay() -> None:
    assert with_window("whisper:tiny.en?batch=4", "auto") == "whisper:tiny.en?batch=4&window=auto"


def test_a_window_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert window.main(["--model", "whisper:nano", "--judge", "hubert-ctc:nano", "--window", "0"]) == 2
    assert "window=0 of whisper" in capsys.readouterr().err
