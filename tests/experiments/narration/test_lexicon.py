"""The pronunciation lexicon: what an entry touches, and which entries are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.narration.lexicon import Entry, read_lexicon, respelled
from llasa_core.errors import UserError


def lexicon(tmp_path: Path, content: str, name: str = "a.tsv") -> tuple[Entry, ...]:
    (tmp_path / name).write_text(content, encoding="utf-8")
    return read_lexicon(tmp_path / name)


@pytest.mark.parametrize(
    ("entry", "text", "wanted"),
    [
        ("Siobhan\tShivawn", "Siobhan met SIOBHAN’s sister.", "Shivawn met Shivawn’s sister."),
        ("Bath\tBarth\tcase", "A bath in Bath.", "A bath in Barth."),
        ("Bath\tBarth", "Bathing", "Bathing"),
        ("Bath\tBarth\tpart", "Bathing", "Barthing"),
        ("O'Neill\tOh Neel", "O’Neill came.", "Oh Neel came."),
        ("New York\tNoo York", "in New  York", "in Noo York"),
        (r"/Ch\. (\d+)/" + "\tchapter \\1", "See Ch. 12.", "See chapter 12."),
        ("重庆\t崇庆", "他在重庆住。", "他在崇庆住。"),
        ("Lee\tLi", "他是Lee先生", "他是Li先生"),
    ],
)
def test_respelling(tmp_path: Path, entry: str, text: str, wanted: str) -> None:
    entries = lexicon(tmp_path, entry)
    found, touched = respelled(text, entries)
    assert found == wanted
    assert touched == (() if found == text else entries)


def test_yaml_says_the_same(tmp_path: Path) -> None:
    yaml = "- word: Bath\n  say: Barth\n  case: true\n- pattern: 'Ch\\. (\\d+)'\n  say: 'chapter \\1'\n"
    tsv = "Bath\tBarth\tcase\n/Ch\\. (\\d+)/\tchapter \\1\n"
    own, other = (lexicon(tmp_path, *pair) for pair in ((yaml, "a.yaml"), (tsv, "a.tsv")))
    assert [one.key for one in own] == [one.key for one in other]


def test_a_place_is_respelled_once(tmp_path: Path) -> None:
    entries = lexicon(tmp_path, "New York\tGotham City\nYork\tYark\n")
    assert respelled("New York, York", entries) == ("Gotham City, Yark", entries)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a\tb\nb\tc\nc\ta\n", "entries loop (a -> b -> c -> a)"),
        ("tomato\tthe potato\npotato\ta tomato\n", "entries loop"),
        ("a\ta\n", "respelled as itself"),
        ("a\tb\nA\tc\n", "twice"),
        ("/(a/\tb\n", "the pattern '(a' is none"),
        ("/a/\t\\2\n", "is none"),
        ("/a*/\tb\n", "matches the empty text"),
        ("only a word\n", "TAB"),
        ("a\tb\tloud\n", "TAB"),
    ],
)
def test_entries_that_are_refused(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        lexicon(tmp_path, content)
    assert says in str(error.value)
    assert "a.tsv, line" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [("- say: x\n", "word or pattern"), ("- word: a\n", "say is missing"), ("word: a\n", "a list")],
)
def test_yaml_that_is_refused(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        lexicon(tmp_path, content, "a.yaml")


def test_a_pattern_that_never_ends(tmp_path: Path) -> None:
    entries = lexicon(tmp_path, "/(x+x+)+y/\tz\n")
    with pytest.raises(UserError, match="takes too long"):
        respelled("x" * 5000, entries)
