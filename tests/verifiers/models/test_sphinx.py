"""pocketsphinx as an ear that expects the text: what was said is heard, and what was not is not."""

from __future__ import annotations

import pytest

import verifiers
from tests.verifiers.models.human_clips import read_clip
from verifiers.base import Score, Target, Verifier
from verifiers.models.sphinx import biased_bigrams, plain_words
from verifiers.shared.pronunciation import guesses, pronunciations

TEXT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
pytest.importorskip("pocketsphinx")


@pytest.fixture(scope="module")
def ear() -> Verifier:
    return verifiers.load("sphinx")


def heard(ear: Verifier, text: str) -> Score:
    """Of the clip that says TEXT."""
    pytest.importorskip("moonshine_voice", reason="needs the recordings of the package moonshine-voice")
    return ear.score([read_clip("beckett")], Target(text, "en"))[0]


def test_what_was_said_is_heard_with_its_times(ear: Verifier) -> None:
    """All but one of the twelve words: the speaker is Irish, and his "failed" is an American's "files"."""
    score = heard(ear, TEXT)
    assert score.evidence["changed"] == [[3, "failed", "files"]]
    assert score.value == pytest.approx(1 / 12)
    words = score.evidence["heard_at"]
    assert [word for word, _, _ in words] == plain_words(TEXT.replace("failed", "files"))
    starts = [start for _, start, _ in words]
    assert starts == sorted(starts)
    assert all(start < end for _, start, end in words)


@pytest.mark.parametrize(
    ("text", "errors", "count"),
    [
        (TEXT.replace("matter", "button"), "substitutions", 2),
        (TEXT.replace("Fail again. ", ""), "insertions", 1),
        (TEXT.replace("No matter.", "No such thing will matter."), "deletions", 2),
    ],
)
def test_what_was_not_said_is_not_heard(ear: Verifier, text: str, errors: str, count: int) -> None:
    score = heard(ear, text)
    assert score.evidence[errors] >= count


def test_words_that_the_dictionary_lacks_are_guessed_and_said(ear: Verifier) -> None:
    score = heard(ear, TEXT.replace("Try again.", "Quorvath again."))
    assert score.evidence["guessed"] == ["quorvath"]
    assert "quorvath" not in score.evidence["heard"]


def test_a_name_is_pronounced_by_its_letters() -> None:
    known = {"cat": ["K AE T"]}
    assert pronunciations("cat", known) == ["K AE T"]
    assert pronunciations("cat's", known) == ["K AE T S"]
    assert "S OW K OW L OW V AA" in guesses("sokolova")
    assert guesses("123") == []


def test_a_bigram_model_sums_to_one() -> None:
    text = biased_bigrams(["a", "b", "a"], ["a", "b", "c"], 0.9)
    rows = [line.split() for line in text.partition("\\2-grams:")[0].splitlines()]
    single = {row[1]: 10 ** float(row[0]) for row in rows if len(row) > 1 and row[0][0] in "-0"}
    assert set(single) == {"<s>", "a", "b", "c", "</s>"}
    assert sum(single.values()) == pytest.approx(1, abs=1e-3)
