import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llasa_core.text import spoken_form
from llasa_core.text.compare import compare, compare_prefix
from tests.llasa_core.text.tables import DIFFERENT, EQUAL, SPOKEN, blocks
from tests.llasa_core.text.test_spoken import LOCALES, TEXTS


def test_the_tables_are_large_enough():
    assert len(EQUAL) >= 150 and len(DIFFERENT) >= 60


@pytest.mark.parametrize("rows", blocks(EQUAL))
def test_right_transcripts_are_equal_and_say_why(rows):
    found = [(compare(text, heard, locale), names) for locale, text, heard, names in rows]
    wrong = [one.evidence() for one, names in found if not one.equal or set(one.equivalences) != names]
    assert wrong == []


@pytest.mark.parametrize("rows", blocks(DIFFERENT))
def test_wrong_readings_count(rows):
    found = [(compare(text, heard, locale), errors) for locale, text, heard, errors in rows]
    assert [one.evidence() for one, errors in found if one.errors != errors] == []


@pytest.mark.parametrize("rows", blocks(SPOKEN))
def test_every_right_reading_is_heard_as_right(rows):
    pairs = [(locale, written, reading) for locale, written, right in rows for reading in right]
    both = pairs + [(locale, reading, written) for locale, written, reading in pairs]
    assert [one for one in both if not compare(one[1], one[2], one[0]).equal] == []


@given(TEXTS, LOCALES, st.randoms(use_true_random=False))
def test_a_perfect_reading_is_equal_whatever_its_case_punctuation_and_quotes(text, locale, rng):
    spoken = spoken_form(text, locale).spoken
    assert compare(text, text, locale).equal
    assert compare(text, spoken, locale).equal
    assert compare(spoken, _rewritten(spoken, rng), locale).equal


def _rewritten(spoken: str, rng: random.Random) -> str:
    """The words with other capitals, punctuation, quotes and apostrophes."""
    words = []
    for word in spoken.split():
        plain = re.sub(r"[^\w'-]+$", "", word)
        if re.fullmatch(r"[a-z]{3,}", plain):
            plain = rng.choice([plain, plain.upper(), plain.capitalize(), f"“{plain}”", f'"{plain}"'])
            plain += rng.choice(["", ",", "!", "?", ";"])
            words.append(plain)
        else:
            words.append(word.replace("'", "’") if re.search(r"\w'\w", word) else word)
    return " ".join(words)


def test_names_that_are_given_may_sound_alike():
    assert compare("steel it", "steal it").errors == 1
    found = compare("steel it", "steal it", names=["Steel"])
    assert found.equal and found.equivalences == ("homophone",)


def test_chinese_homophones_are_equal_by_pinyin_and_for_names_only():
    assert compare("我姓张。", "我姓章", "zh").errors == 1
    assert compare("我姓张。", "我姓章", "zh", pinyin=True).equivalences == ("pinyin",)
    assert compare("我姓张。", "我姓章", "zh", names=["張"]).equal
    assert compare("我买了。", "我卖了", "zh", pinyin=True).errors == 1


def test_evidence_names_what_was_missed_added_changed_and_taken_as_equal():
    found = compare(
        "The colour of 21 dogs changed here.", "the color of twenty one cats changed here now"
    ).evidence()
    assert found["changed"] == [[5, "dogs", "cats"]]
    assert found["added"] == [[8, "now"]] and found["missed"] == []
    assert [one[3] for one in found["equivalent"]] == ["spelling", "number", "number"]


def test_a_text_without_words_and_silence():
    assert compare("Hello there.", "").deletions == 2
    assert compare("...", "").equal and compare("...", "oh").rate == 1.0


@pytest.mark.parametrize(
    ("heard", "position", "errors", "cut_word"),
    [
        ("", 0, 0, ""),
        ("he paid", 2, 0, ""),
        ("He paid $21", 5, 0, ""),
        ("he paid twenty one dol", 4, 0, "dol"),
        ("he said twenty one dollars", 5, 1, ""),
        ("he paid twenty one dollars to Doctor Smith", 8, 0, ""),
        ("he paid twenty one dollars to Dr. Smyth", 8, 0, ""),
        ("he he paid", 2, 1, ""),
    ],
)
def test_prefixes(heard, position, errors, cut_word):
    found = compare_prefix("He paid $21 to Dr. Smith in 1984.", heard)
    assert (found.position, found.errors, found.cut_word) == (position, errors, cut_word)
    assert found.words == 12


def test_long_texts_are_aligned_in_seconds():
    words = " ".join(f"{spoken_form(str(number)).spoken} birds" for number in range(1500))
    damaged = words.replace("seven birds", "birds", 1).replace("nine hundred five birds", "905 birds")
    assert compare(words, damaged).errors == 1


@given(TEXTS, TEXTS, LOCALES)
def test_errors_are_counted_for_any_two_texts(text, heard, locale):
    found = compare(text, heard, locale)
    assert found.hits + found.substitutions + found.deletions == len(found.reference)
    heard_words = sum(len(step.heard) for step in found.steps)
    assert heard_words == len(found.hypothesis)
    assert compare_prefix(text, heard, locale).errors <= len(found.hypothesis)


@pytest.mark.parametrize("rows", blocks([row for row in SPOKEN if row[0] != "zh-CN"]))
def test_a_wrong_word_anywhere_is_an_error(rows):
    accepted = []
    for locale, written, right in rows:
        words = right[0].split()
        for index in range(len(words)):
            heard = " ".join([*words[:index], "window", *words[index + 1 :]])
            accepted += [(written, heard)] if compare(written, heard, locale).equal else []
    assert accepted == []


def test_markers_of_a_recogniser_are_no_words():
    assert compare("Hello there.", "<|notimestamps|> Hello there.<|endoftext|>").equal
