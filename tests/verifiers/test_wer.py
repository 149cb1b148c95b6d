"""Word errors: every rule of seed-tts-eval, alignment evidence, prefixes against brute force."""

import json
import string
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.errors import VerifierError
from verifiers.wer import (
    best_prefix,
    prefix_error_rate,
    seed_tts_eval,
    simplified,
    whisper_english,
    word_errors,
)

WORDS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=6)


def test_every_punctuation_mark_is_deleted_except_the_apostrophe() -> None:
    from zhon.hanzi import punctuation

    for mark in punctuation + string.punctuation:
        assert seed_tts_eval(f"a{mark}b") == ("a'b" if mark == "'" else "ab"), mark


def test_lower_case_and_one_pass_over_double_spaces() -> None:
    assert seed_tts_eval("The  Train") == "the train"
    assert seed_tts_eval("one - two") == "one two"
    # One pass only: three spaces become two, as upstream.
    assert seed_tts_eval("a   b") == "a  b"


def test_numbers_stay_as_they_are() -> None:
    assert seed_tts_eval("It is 12.5 miles") == "it is 125 miles"
    assert word_errors("twelve miles", "12 miles").rate == 0.5


def test_chinese_is_compared_by_character_with_its_case_kept() -> None:
    assert seed_tts_eval("你好\uff0c世界\u3002", "zh") == "你 好 世 界"
    assert seed_tts_eval("A你", "zh") == "A 你"
    assert word_errors("你好世界", "你好视界", "zh").rate == 0.25


def test_curly_apostrophes_are_deleted_as_upstream() -> None:
    assert seed_tts_eval("don\u2019t") == "dont"
    assert seed_tts_eval("don't") == "don't"


def test_rates_are_divided_by_the_words_of_the_split_reference() -> None:
    found = word_errors("the cat sat down", "a cat sat right down now")
    assert (found.substitutions, found.deletions, found.insertions) == (1, 0, 2)
    assert found.rates == {"substitutions": 0.25, "deletions": 0.0, "insertions": 0.5}
    assert found.rate == 0.75
    # A double space that is left counts as one more word in the rates, not in the WER.
    doubled = word_errors("a   b", "a c")
    assert (doubled.words, doubled.rate, doubled.rates["substitutions"]) == (3, 0.5, 1 / 3)


def test_more_words_than_the_text_give_a_rate_above_one() -> None:
    assert word_errors("yes", "no no no").rate == 3.0


def test_nothing_heard_is_all_words_missed() -> None:
    found = word_errors("the train is late", "")
    assert (found.rate, found.deletions) == (1.0, 4)
    assert found.evidence()["missed"] == [[0, "the train is late"]]


def test_alignment_says_what_was_missed_added_and_changed() -> None:
    evidence = word_errors("We will surely meet at noon.", "we surely meet them at moon").evidence()
    assert evidence["missed"] == [[1, "will"]]
    assert evidence["added"] == [[4, "them"]]
    assert evidence["changed"] == [[5, "noon", "moon"]]
    assert json.loads(json.dumps(evidence)) == evidence


@pytest.mark.parametrize("text", ["", "  ", "?!"])
def test_a_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(VerifierError, match="no words"):
        word_errors(text, "hello")
    with pytest.raises(VerifierError, match="no words"):
        prefix_error_rate(text, "hello")


def test_whispers_normaliser_is_another_one() -> None:
    assert word_errors("twenty five miles", "25 miles", normalize=whisper_english).rate == 0.0
    assert word_errors("twenty five miles", "25 miles").rate > 0.0


def test_chinese_transcripts_need_zhconv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zhconv", None)
    with pytest.raises(VerifierError, match="install zhconv"):
        simplified("漢字")
    module = ModuleType("zhconv")
    module.convert = lambda text, locale: f"{locale}:{text}"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "zhconv", module)
    assert simplified("漢字") == "zh-cn:漢字"


def distance(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(distance(a[:-1], b[:-1]) + (a[-1] != b[-1]), distance(a[:-1], b) + 1, distance(a, b[:-1]) + 1)


@given(expected=WORDS, heard=st.lists(st.sampled_from(["a", "b", "c"]), max_size=4))
def test_the_best_prefix_is_that_of_brute_force(expected: list[str], heard: list[str]) -> None:
    costs = [distance(tuple(expected[:j]), tuple(heard)) for j in range(len(expected) + 1)]
    errors, position = best_prefix(expected, heard)
    assert errors == min(costs)
    assert position == max(j for j, cost in enumerate(costs) if cost == errors)


@given(expected=WORDS.filter(bool), cut=st.integers(0, 6))
def test_any_true_prefix_has_no_errors(expected: list[str], cut: int) -> None:
    found = prefix_error_rate(" ".join(expected), " ".join(expected[:cut]))
    assert (found.rate, found.errors, found.position) == (0.0, 0, min(cut, len(expected)))


def test_a_prefix_is_judged_by_what_it_should_have_said_so_far() -> None:
    found = prefix_error_rate("The morning train is late again.", "the mourning train")
    assert (found.errors, found.position, found.words) == (1, 3, 6)
    assert found.rate == pytest.approx(1 / 3)
    assert found.evidence()["changed"] == [[1, "morning", "mourning"]]


def test_a_word_that_is_cut_off_is_no_error() -> None:
    found = prefix_error_rate("the morning train is late", "the morning tr")
    assert (found.rate, found.position, found.cut_word) == (0.0, 2, "tr")
    assert found.evidence()["cut_word"] == "tr"
    wrong = prefix_error_rate("the morning train is late", "the morning bus")
    assert (wrong.errors, wrong.cut_word) == (1, "")


def test_silence_so_far_has_no_errors_and_no_position() -> None:
    found = prefix_error_rate("the train", "")
    assert (found.rate, found.position, found.alignment) == (0.0, 0, None)


def test_the_whole_text_and_more_counts_what_is_added() -> None:
    found = prefix_error_rate("the train", "the train the train")
    assert (found.position, found.errors, found.rate) == (2, 2, 1.0)
