"""Word errors: every rule of seed-tts-eval, alignment evidence, prefixes against brute force."""

import json
import string
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.shared.recogniser import Recogniser, compare, whole_words
from verifiers.shared.wer import (
    PrefixErrors,
    best_prefix,
    by_character,
    prefix_error_rate,
    seed_tts_eval,
    simplified,
    whisper_english,
    word_errors,
)
from verifiers.spec import Spec

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


def test_hyphens_and_digits_in_the_middle_of_words() -> None:
    assert seed_tts_eval("A well-known co-worker, 3-D and 1,000.") == "a wellknown coworker 3d and 1000"
    assert word_errors("well-known", "well known").errors == 2
    assert word_errors("well-known", "wellknown").errors == 0


def test_chinese_with_latin_words_is_spelled_letter_by_letter() -> None:
    found = word_errors("我用 iPhone\u3002", "我用iphone", "zh")
    assert found.reference == "我 用   i P h o n e"
    assert (found.substitutions, found.deletions, found.insertions) == (1, 0, 0)
    # The spaces between words are units in what the three counts are divided by, and none in the WER.
    assert (found.rate, found.words, found.rates["substitutions"]) == (1 / 8, 10, 1 / 10)


def test_the_apostrophe_stays_in_chinese_too() -> None:
    assert seed_tts_eval("it's 好", "zh") == "i t ' s   好"


def reference_of_seed_tts_eval(text: str, heard: str, language: str) -> tuple[float, list[float]]:
    """WER and the three rates as run_wer.py states them: mark by mark, count by count."""
    import jiwer
    from zhon.hanzi import punctuation

    for mark in punctuation + string.punctuation:
        if mark != "'":
            text, heard = text.replace(mark, ""), heard.replace(mark, "")
    text, heard = text.replace("  ", " "), heard.replace("  ", " ")
    if language == "zh":
        text, heard = " ".join(text), " ".join(heard)
    else:
        text, heard = text.lower(), heard.lower()
    found = jiwer.process_words(text, heard)
    counts = (found.substitutions, found.deletions, found.insertions)
    return found.wer, [count / len(text.split(" ")) for count in counts]


@given(
    text=st.text("aB' 你好,.-1\u3002", min_size=1, max_size=12),
    heard=st.text("aB' 你好,.-1\u3002", max_size=12),
    language=st.sampled_from(["en", "zh"]),
)
def test_figures_are_those_of_the_rules_step_by_step(text: str, heard: str, language: str) -> None:
    if not seed_tts_eval(text, language).strip():
        return
    found = word_errors(text, heard, language)
    rate, rates = reference_of_seed_tts_eval(text, heard, language)
    assert found.rate == rate
    assert list(found.rates.values()) == rates


def test_a_character_error_rate_of_english_is_another_metric() -> None:
    target = Target(text="The cat sat.")
    assert compare("the cat sad", target, False, seed_tts_eval).value == 1 / 3
    heard = compare("thecat sad", target, False, seed_tts_eval, "character")
    assert (heard.value, heard.position) == (1 / 9, 3)
    assert heard.evidence["words"] == 9
    assert by_character(whisper_english)("Twenty five", "en") == "2 5"
    assert Recogniser.metric(Spec("whisper", options={"unit": "character"})) == ("cer", False)
    both = {"unit": "character", "normalizer": "whisper"}
    assert Recogniser.metric(Spec("whisper", options=both)) == ("cer-whisper", False)
    assert Recogniser.metric(Spec("whisper", options={**both, "name": "mine"})) == ("mine", False)


def test_a_prefix_by_characters_reaches_the_words_that_are_whole() -> None:
    heard = compare("the cat s", Target(text="The cat sat down."), True, seed_tts_eval, "character")
    assert (heard.value, heard.position, heard.evidence["position"]) == (0.0, 2, 7)
    assert [whole_words(["the", "cat"], n) for n in (0, 2, 3, 5, 6)] == [0, 0, 1, 1, 2]


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
    with pytest.raises(VerifierError, match=r"zhconv.*pip install 'llasa-search\[zh\]'"):
        simplified("漢字")
    module = ModuleType("zhconv")
    module.convert = lambda text, locale: f"{locale}:{text}"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "zhconv", module)
    assert simplified("漢字") == "zh-cn:漢字"


def test_traditional_characters_of_a_transcript_are_no_errors() -> None:
    pytest.importorskip("zhconv")
    heard = compare("漢語 說話", Target(text="汉语\uff0c说话\u3002", language="zh"), False, seed_tts_eval)
    assert heard.value == 0.0
    # Only the transcript is converted, as upstream.
    assert compare("漢語", Target(text="漢語", language="zh"), False, seed_tts_eval).value == 1.0


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


@given(
    expected=st.lists(st.sampled_from(["a", "b", "ab", "abc"]), min_size=1, max_size=5),
    heard=st.lists(st.sampled_from(["a", "b", "ab", "abc"]), max_size=4),
)
def test_the_prefix_error_rate_is_that_of_brute_force(expected: list[str], heard: list[str]) -> None:
    """Over all prefixes; a last word that begins the next one of the text may be left out if that helps."""

    def nearest(words: list[str]) -> tuple[int, int]:
        costs = [distance(tuple(expected[:j]), tuple(words)) for j in range(len(expected) + 1)]
        return min(costs), max(j for j, cost in enumerate(costs) if cost == min(costs))

    errors, position = nearest(heard)
    if heard:
        fewer, reached = nearest(heard[:-1])
        if fewer < errors and reached < len(expected) and expected[reached].startswith(heard[-1]):
            errors, position = fewer, reached
    found: PrefixErrors = prefix_error_rate(" ".join(expected), " ".join(heard))
    assert (found.errors, found.position, found.words) == (errors, position, len(expected))
    assert found.rate == errors / max(position, 1)
    assert found.alignment is None or found.alignment.errors == errors


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
