"""Length and alphabet: what is known of a text before it is spoken."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import llasa_core
from llasa_core.audio import read_audio, seconds
from llasa_core.text.alphabet import LLASA, NANO, unreadable
from llasa_core.text.characters import clean
from llasa_core.text.language import base_language, language
from llasa_core.text.length import PACES, Pace, predict_seconds, syllables

PROMPTS = Path(llasa_core.__file__).parent / "nano" / "prompts"


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("cat", 1), ("table", 2), ("walked", 1), ("wanted", 2), ("horses", 2), ("makes", 1), ("beautiful", 3),
        ("video", 3), ("giant", 2), ("playing", 2), ("the", 1), ("strength", 1), ("banana", 3), ("BBC", 3),
        ("你好", 2),
    ],
)  # fmt: skip
def test_syllables(word, count):
    assert syllables(word) == count


def test_numbers_take_the_time_of_their_words():
    assert predict_seconds("in 1984") == predict_seconds("in nineteen eighty four")


def test_longer_texts_take_longer_and_none_no_time():
    one = "She had your dark suit in greasy wash water all year."
    assert 2.5 < predict_seconds(one) < 4.5
    assert predict_seconds(f"{one} {one}") > 1.8 * predict_seconds(one)
    assert predict_seconds("...") == 0.0
    assert predict_seconds(one, pace=Pace(syllables=2.1)) > 1.6 * predict_seconds(one)
    assert predict_seconds("今天天气很好。", "zh") > 1
    with pytest.raises(KeyError):
        predict_seconds(one, pace="fast")
    assert set(PACES) == {"llasa", "nano"}


def test_the_packaged_prompts_last_about_as_long_as_predicted():
    prompts = json.loads((PROMPTS / "prompts.json").read_text("utf-8"))
    ratios = [
        predict_seconds(prompt["text"], pace="nano") / seconds(read_audio(PROMPTS / prompt["file"]))
        for prompt in prompts
        if prompt["style"] == "neutral"
    ]
    assert len(ratios) >= 5
    assert 0.9 < sum(ratios) / len(ratios) < 1.1
    assert all(0.7 < ratio < 1.4 for ratio in ratios)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Søren", ["Latin (ø)"]),
        ("café Zoë", []),
        ("こんにちは", ["Hiragana (こ ん に ち は)"]),
        ("привет", ["Cyrillic (п р и в е т)"]),
        ("नमस्ते", ["Devanagari (न म स त)"]),
        ("مرحبا", ["Arabic (م ر ح ب ا)"]),
        ("안녕", ["Hangul (안 녕)"]),
        ("你好 hello", ["Han (你 好)"]),
        ("Straße, œuvre", ["Latin (œ)"]),
        ("it's 5 o'clock!", []),
    ],
)
def test_what_the_nano_model_cannot_read_is_named(text, said):
    assert [str(one) for one in unreadable(text, NANO)] == said


def test_llasa_reads_latin_letters_and_chinese():
    assert unreadable("Søren 你好 Straße", LLASA) == ()
    assert [one.script for one in unreadable("カタカナ и ไทย", LLASA)] == ["Katakana", "Cyrillic", "Thai"]


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("\ufeffa\u200bb\u00adc", "abc"),
        ("a\u2028b\u00a0c\td", "a b c d"),
        ("ﬁne ｆｕｌｌ", "fine full"),
        ("x² H₂O", "x^2 H2O"),
        ("½", "1/2"),
        ("٣४७", "347"),
        ("①", "1"),
        ("a\x00b\x1bc", "abc"),
        ("a\ud800b", "ab"),
        ("e\u0301", "é"),
        ("‘a’ “b”", "'a' \"b\""),
    ],
)
def test_clean_characters(written, plain):
    assert clean(written)[0] == plain


def test_chinese_keeps_its_punctuation():
    assert clean("你好，“世界”！ＡＢ", chinese=True)[0] == "你好，“世界”！AB"


@pytest.mark.parametrize(
    ("codes", "one"),
    [
        (["en", "EN", "eng", "en_US", "en-us", "English", " en "], "en-US"),
        (["en-GB", "en_gb", "EN-UK", "british"], "en-GB"),
        (["zh", "ZH", "zh_CN", "zh-Hans", "zh-hans-cn", "cmn", "Chinese"], "zh-CN"),
        (["de", "DE", "deu"], "de"),
        (["pt_br", "pt-BR"], "pt-BR"),
    ],
)
def test_language_codes(codes, one):
    assert {language(code) for code in codes} == {one}
    assert {base_language(code) for code in codes} == {one[:2]}


@pytest.mark.processes
def test_text_needs_no_model_library():
    code = (
        "import sys, llasa_core.text.compare; "
        "print([name for name in ('torch', 'transformers', 'whisper', 'wetext') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
