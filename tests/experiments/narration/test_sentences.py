"""Sentences on paragraphs in which their ends are not obvious."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.narration.sentences import sentences
from tests.experiments.narration.books import DATA


def paragraphs() -> Iterator[tuple[str, list[str]]]:
    """Language and sentences of each paragraph of the list."""
    code = "en"
    for line in (DATA / "sentences.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            code = "zh" if "Chinese" in line else code
        else:
            yield code, [part.strip() for part in line.split("||")]


def test_sentences_end_where_a_reader_ends_them() -> None:
    """All but three: speeches that follow a bracket, a dash or "etc." without a sign."""
    wrong = []
    for code, wanted in paragraphs():
        text = ("" if code == "zh" else " ").join(wanted)
        if sentences(text, code) != wanted:
            wrong.append(text)
    assert wrong == [
        "(He never said so.) She did.",
        '"Wait—" She was gone.',
        'The letter ended: "Yours, etc." He folded it.',
    ]


@pytest.mark.parametrize(
    "marked",
    [
        "“What?” Mr. Brown said.",
        "‘Where is he?’ Mary Ann quietly asked. || ‘Gone.’",
        "“No!” I said. || “Stop!” Mary called.",
        "“No!” || The man left.",
        "“Stop!” || Mary called a cab.",
        "“No!” || Mary sat down.",
        "What? || Mary said nothing.",
        "Lieut. Smith came. || It is in Vol. II and ch. 3 of it.",
        "He read the vol. || It was long.",
        "On the 3d. and last day it cost £5 6s. 2d. in all.",
        "He had 6d. || She had none.",
        "Oh! my dear, come.",
        "Is it you? || iPhone is a word.",
        "are you there? || yes!",
        "“First,” said Alice. || “It goes on",
        '"First," said Alice. || "It goes on',
    ],
)
def test_questions_abbreviations_and_open_quotations(marked: str) -> None:
    wanted = marked.split(" || ")
    assert sentences(" ".join(wanted), "en") == wanted


def test_rules_for_english_are_for_english() -> None:
    assert sentences("« Non ! » Marie said.", "fr") == ["« Non ! »", "Marie said."]


@given(st.text(alphabet="aB.!? \"'“”…—(),;1他。！”", max_size=80), st.sampled_from(["en", "zh", "de"]))
def test_no_character_is_lost(text: str, code: str) -> None:
    found = sentences(text, code)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(one == one.strip() and one for one in found)
    if any(map(str.isalnum, text)):
        assert all(any(map(str.isalnum, one)) for one in found)
