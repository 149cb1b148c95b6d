"""What holds for every text: of the tables, of the prose beside them, and for long runs of any sign."""

import random
import time
import unicodedata

import pytest

from llasa_core.text import spoken_form
from llasa_core.text.compare import compare
from llasa_core.text.spoken import segments
from tests.llasa_core.text.tables import DATA, DIFFERENT, EQUAL, SPOKEN

PROSE = [line for line in (DATA / "prose.txt").read_text("utf-8").splitlines() if line[:2] != "# "]
PLAIN = [line for line in PROSE if line.replace(" ", "").isascii() and not any(c.isdigit() for c in line)]
WRITTEN = sorted(
    {
        *((locale, written) for locale, written, _ in SPOKEN),
        *((locale, text) for locale, text, *_ in EQUAL),
        *((locale, text) for locale, text, *_ in DIFFERENT),
        *(("en-US", line) for line in PROSE),
        *(("en-GB", line) for line in PROSE),
    }
)


@pytest.mark.parametrize("locale", ["en", "en-US", "en-GB", "zh", "zh-CN"])
def test_a_text_says_what_its_spoken_form_says(locale):
    for _, text in (one for one in WRITTEN if one[0] == locale):
        spoken = spoken_form(text, locale).spoken
        assert spoken_form(spoken, locale).spoken == spoken
        assert compare(text, spoken, locale).rate == 0, text
        assert compare(text, text, locale).rate == 0, text
        if locale[:2] == "en":
            assert not any(character.isdigit() for character in spoken), text


def test_forms_side_by_side_are_read_as_well():
    rng = random.Random(5)
    english = [text for locale, text in WRITTEN if locale == "en-US"]
    for _ in range(500):
        text = " ".join(rng.choices(english, k=3))
        spoken = spoken_form(text).spoken
        assert spoken_form(spoken).spoken == spoken
        assert compare(text, spoken).equal, text


def test_no_character_of_unicode_raises_or_leaves_a_digit():
    rng = random.Random(6)
    for _ in range(2000):
        text = "".join(chr(rng.choice((rng.randint(32, 126), rng.randint(0, 0x10FFFF)))) for _ in range(12))
        for locale in ("en-US", "en-GB"):
            spoken = spoken_form(text, locale).spoken
            assert not [c for c in spoken if unicodedata.category(c) in ("Nd", "Sc", "Sm", "So", "Cf", "Cc")]
        spoken_form(text, "zh")


@pytest.mark.parametrize("sentence", PLAIN)
def test_no_word_of_a_sentence_may_be_lost_or_said_twice(sentence):
    words = sentence.split()
    for index, word in enumerate(words):
        assert not compare(sentence, " ".join(words[:index] + words[index + 1 :])).equal, word
        assert not compare(sentence, " ".join(words[: index + 1] + words[index:])).equal, word


def test_a_long_text_costs_what_its_sentences_cost():
    """2,000 words and 4,000 of them, a word in fifty lost: not more than three times the time."""
    rng = random.Random(7)

    def seconds(words: int) -> float:
        text: list[str] = []
        while len(text) < words:
            text += rng.choice(PROSE).split()
        heard = [word for index, word in enumerate(text) if index % 50]
        began = time.process_time()
        assert compare(" ".join(text), " ".join(heard)).deletions > 0
        return time.process_time() - began

    seconds(100)
    short = min(seconds(2000) for _ in range(3))
    assert min(seconds(4000) for _ in range(3)) < 3.5 * short


RUNS = [
    *"1 . , - — ' \" _ $ ( ) [ @ + ^ ° : / * # = < > & % ~ | a A I X ½ ² … 0".split(),
    *("1-", "1.", "1,", "99,", "a.", "A.B.", "$1-", "1x", "1/", "[1]", "St. ", "Vol. I-", "1 m s^-1 ", "a@"),
]


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("run", RUNS)
def test_twice_the_signs_take_four_times_as_long_at_most(run, locale):
    """No pattern tries every way to divide a run: more than quadratic time would be eight times as long."""

    def seconds(length: int) -> float:
        text = run * (length // len(run))
        times = []
        for _ in range(3):
            began = time.process_time()
            segments(text, locale)
            times.append(time.process_time() - began)
        return min(times)

    short, long = seconds(1500), seconds(3000)
    assert long < max(6 * short, 0.05)
