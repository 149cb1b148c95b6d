"""Chinese: our rules where the grammars of wetext (Apache-2.0) are wrong or slow, then those."""

import re
from functools import lru_cache
from typing import Any

from llasa_core.text.chinese import amounts, codes, numbers, scores, years
from llasa_core.text.english import roman
from llasa_core.text.rules import Change, Rule, apply, rule

_HAN = r"\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LEFT = re.compile(r"[A-Za-z]*\d[\d.,:/A-Za-z%*^'-]*")


@lru_cache(maxsize=1)
def _rules() -> tuple[tuple[Rule, ...], tuple[Rule, ...], tuple[Rule, ...]]:
    digits = [
        *years.rules(),
        *scores.rules(),
        *codes.rules(),
        *amounts.rules(),
        rule("number", _LEFT.pattern, lambda match: _by_grammar(match.group())),
    ]
    return tuple(codes.web()), tuple(digits), tuple(amounts.signs())


def read(text: str, changes: list[Change]) -> str:
    """Clean text with a mark for each thing that was read; `changes` gets what the marks stand for."""
    web, digits, signs = _rules()
    text = apply(web, _close(roman.plain_roman(text)), changes)
    text = re.sub(r"(?<![A-Za-z])'|'(?![A-Za-z])", "", text)
    if any("0" <= character <= "9" for character in text):
        text = apply(digits, text, changes)
    text = re.sub(r"(?<=[A-Za-z])[-/_](?=[A-Za-z])", " ", text)
    return re.sub(r"[<>\[\]{}|\\*^`~#_/\"]+", " ", apply(signs, text, changes))


def _close(text: str) -> str:
    """`2024 年 3 月`, `12.5 %` and `3 : 2` without the spaces, and a list without its first bullet."""
    text = re.sub(rf"(?<=\d) (?=[{_HAN}%‰])|(?<=[{_HAN}]) (?=\d)|^[-–*+] (?=\S)(?!\d[\d.]* ?[°%])", "", text)
    return re.sub(r"(?<=\d) ([:：]) (?=\d)", r"\1", text)


def tidy(text: str) -> str:
    """Spaces only between words of Latin letters; no space beside a Chinese character or wide punctuation."""
    text = " ".join(text.split())
    text = re.sub(rf"(?<=[{_HAN}，。！？：；（）、「」《》]) (?=\S)", "", text)
    return re.sub(rf"(?<=\S) (?=[{_HAN}，。！？：；（）、「」《》])", "", text)


def _by_grammar(text: str) -> str:
    """A written number by wetext; what it leaves, digit by digit."""
    try:
        found = str(_normalizer().normalize(text))
    except RuntimeError:
        found = text
    return re.sub(r"\d+", lambda match: numbers.digits(match.group()), found)


@lru_cache(maxsize=1)
def _normalizer() -> Any:
    from wetext import Normalizer

    return Normalizer(lang="zh", operator="tn")


@lru_cache(maxsize=4096)
def simplified(text: str) -> str:
    """Chinese in simplified characters."""
    if text.isascii() or not text:
        return text
    from wetext.constants import FSTS

    return str(FSTS["preprocess"]["traditional_to_simple"](text))


@lru_cache(maxsize=4096)
def same_pinyin(first: str, second: str) -> bool:
    """Whether two characters share a pronunciation, tone included."""
    from pypinyin import Style, pinyin

    one, other = (set(pinyin(text, style=Style.TONE3, heteronym=True)[0]) for text in (first, second))
    return len(first) == len(second) == 1 and bool(one & other)
