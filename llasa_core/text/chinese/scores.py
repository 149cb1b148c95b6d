"""Chinese clock times, and the scores and ratios that look like them."""

import re

from llasa_core.text.chinese import numbers
from llasa_core.text.chinese.counts import around
from llasa_core.text.rules import Readings, Rule, rule

_SCORE_BEFORE = re.compile(r"比分[^，。；！？\d]{0,6}$|第[一二三四五六七]局$")
_RATIO_BEFORE = re.compile(r"(?:比例尺?|比率|配比|高比|之比|赔率)[^，。；！？\d]{0,6}$")
_WON = re.compile(
    "的?(?:比分|优势)?(?:战胜|击败|战平|险胜|完胜|大胜|领先|落后|逆转|取胜|获胜|不敌|负于|输给|力克|横扫|惜败)|的比分"
)
_RATIO_AFTER = re.compile("的?(?:比例|比率)|稀释|兑水|配[比制成]|屏")


def rules() -> list[Rule]:
    return [
        rule(
            "ratio",
            r"(?<!\d)(?<!\d[:：.])\d{1,3}[:：]\d{1,3}(?:[、和]\d{1,3}[:：]\d{1,3})*(?![\d:：]|\.\d)",
            _score,
            ":：",
        ),
        rule(
            "score",
            r"(?<![\dA-Za-z.-])\d{1,3}\s?[-–—]\s?\d{1,3}(?:[、和]\d{1,3}[-–—]\d{1,3})*(?![\d.%—-])",
            _hyphen_score,
            "-–—",
        ),
        rule(
            "ratio",
            r"(?<!\d)(?<!\d[:：.])\d+(?:\.\d+)?(?:[:：]\d+(?:\.\d+)?){2,}(?![\d:：])",
            lambda m: None if re.fullmatch(r"\d{1,2}([:：][0-5]\d){2}", m.group()) else _than(m.group()),
            ":：",
        ),
        rule(
            "time",
            r"(?<!\d)(?<!\d[:：])(\d{1,2})[:：]([0-5]\d)(?:[:：]([0-5]\d))?(?![\d:：]|\.\d)",
            _time,
            ":：",
        ),
    ]


def _than(text: str) -> str:
    """Each number of `3:2、1:1.5` or `1:1:2`, 比 for each colon."""
    words = re.sub(r"0*(\d+(?:\.\d+)?)", lambda match: numbers.number(match[1]), text)
    return re.sub(r"\s?[:：–—-]\s?", "比", words)


def _score(match: re.Match[str]) -> Readings:
    """What words around it, or one of a list that is no clock time, show to be scores or ratios."""
    before, after = around(match)
    pairs = [one.split(":") for one in re.split("[、和]", match.group().replace("：", ":"))]
    clock = all(int(first) <= 24 and len(second) == 2 and second < "60" for first, second in pairs)
    told = (
        _SCORE_BEFORE.search(before)
        or _RATIO_BEFORE.search(before)
        or _WON.match(after)
        or _RATIO_AFTER.match(after)
        or (before.endswith("按") and pairs[0][0] == "1")
    )
    return _than(match.group()) if told or not clock else None


def _hyphen_score(match: re.Match[str]) -> Readings:
    before, after = around(match)
    return _than(match.group()) if _SCORE_BEFORE.search(before) or _WON.match(after) else None


def _time(match: re.Match[str]) -> Readings:
    hour, minute = int(match[1]), match[2]
    if hour > 24:
        return f"{numbers.cardinal(hour)}比{numbers.number(str(int(minute)))}"
    hours = ["两" if hour == 2 else numbers.cardinal(hour), numbers.cardinal(hour)]
    minutes = (
        "零" + numbers.cardinal(int(minute))
        if minute[0] == "0" and minute != "00"
        else numbers.cardinal(int(minute))
    )
    if match[3]:
        shown = f"{minutes if minute != '00' else '零'}分{numbers.cardinal(int(match[3]))}秒"
        return [f"{one}点{shown}" for one in hours]
    if minute == "00":
        return [*(f"{one}点" for one in hours), *(f"{one}点整" for one in hours)]
    found = [f"{one}点{minutes}分" for one in hours] + [f"{one}点{minutes}" for one in hours]
    return [*found, *(f"{one}点半" for one in hours)] if minute == "30" else found
