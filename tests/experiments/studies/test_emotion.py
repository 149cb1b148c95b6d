"""The study of emotions: its figures from what was chosen, and the whole of it on two sentences."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from experiments.studies.emotion import main, wanted
from experiments.studies.emotion_tables import (
    PLAIN,
    Chosen,
    by_sentence,
    compared,
    rank_correlation,
    strengths,
)


def chosen(system: str, sentence: int, style: str, **measures: float) -> Chosen:
    return Chosen(system, sentence, style, "slt", measures)


def test_styles_of_a_sentence_are_averaged_first_and_differences_paired() -> None:
    found = [
        *(chosen(PLAIN, one, style, WER=0.2 * one) for one in (0, 1) for style in ("sad", "happy")),
        chosen("PRM", 0, "sad", WER=0.1),
        chosen("PRM", 0, "happy", WER=0.3),
        chosen("PRM", 1, "sad", WER=float("nan")),
        chosen("PRM", 1, "happy", WER=0.6),
        chosen("PRM", 2, "happy", WER=9.0),
    ]
    assert by_sentence(found, "PRM", "WER") == pytest.approx({0: 0.2, 1: 0.6, 2: 9.0})
    figure = compared(found, "PRM", "best")["WER"]
    assert figure.mean.n == 3 and figure.less_best is None
    assert figure.less_plain is not None
    assert (figure.less_plain.n, figure.less_plain.mean) == (2, pytest.approx(0.3))
    assert compared(found, PLAIN, "best")["WER"].less_plain is None


def test_strengths_in_order_correlate_within_a_sentence() -> None:
    rows = {0: (0.1, 0.4, 0.8), 1: (0.8, 0.4, 0.1), 2: (0.3, 0.3, 0.3)}
    found = [
        chosen(f"strength {strength:g}", sentence, style, prosody=value)
        for sentence, values in rows.items()
        for style in ("sad", "neutral")
        for strength, value in zip((0.3, 0.6, 1.0), values, strict=True)
    ]
    assert rank_correlation([1, 2, 3]) == 1 and rank_correlation([2, 2, 2]) == 0
    order = strengths(found)["prosody"]
    assert (order.n, order.mean) == (3, pytest.approx(0.0))


def test_a_sentence_has_one_voice_and_one_seed_in_all_styles() -> None:
    found = wanted(3, ("sad", "happy"), 7)
    assert [(one.sentence, one.style) for one in found] == [
        (sentence, style) for sentence in range(3) for style in ("sad", "happy")
    ]
    for sad, happy in zip(found[::2], found[1::2], strict=True):
        assert (sad.voice, sad.request.text) == (happy.voice, happy.request.text)
        assert sad.request.id != happy.request.id
    assert len({one.voice for one in found}) == 3


@pytest.mark.skipif(find_spec("funasr") is None, reason="funasr is not installed")
@pytest.mark.models
@pytest.mark.slow
def test_the_study_on_two_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "study.json"
    assert main(["--limit", "2", "-n", "4", "--style", "sad", "--json", str(file)]) == 0
    shown = capsys.readouterr().out
    assert (
        "2 sentences, styles sad, N = 4" in shown and "Spearman of wanted strength and emotion2vec" in shown
    )
    found = json.loads(file.read_text())
    assert list(found["systems"]) == [
        "one sample",
        "best-of-4",
        "PRM",
        "partial PRM + WER",
        "the same, voice's styles",
    ]
    best = found["systems"]["best-of-4"]["emotion2vec"]
    assert best["less_plain"]["mean"] >= 0 and best["mean"]["n"] == 2
    assert len(found["chosen"]) == 2 * (5 + 3)  # of five systems and three strengths
