"""English times of day."""

import re

from llasa_core.text.english import numbers
from llasa_core.text.english.patterns import SENTENCE_END
from llasa_core.text.rules import Readings, Rule, rule


def rules() -> list[Rule]:
    return [
        rule(
            "duration",
            r"(?<![\w:.,])(\d{1,3})\s?h(?:rs?)?\s?(\d{1,2})\s?m(?:ins?)?(?:\s?(\d{1,2})\s?s(?:ecs?)?)?(?!\w)",
            _duration,
            "h",
        ),
        rule("duration", r"(?<![\w:.,])(\d{1,3})h(\d{2})()(?!\w)", _duration, "h"),
        rule(
            "duration",
            r"(?<![\w:.,])()(\d{1,3})\s?m(?:ins?)?\.?\s?(\d{1,2})\s?s(?:ecs?)?(?!\w)",
            _duration,
            "s",
        ),
        rule(
            "time",
            r"(?P<lead>(?i:at|by|from|to|until|till|since|before|after|around|it was)\s)?"
            r"(?<![\w:.,-])(?P<h>[01]\d|2[0-3])(?P<m>[0-5]\d)\s?(?P<word>hours|hrs|h|Z)\b",
            _military,
            "hZ",
        ),
        rule(
            "time",
            r"(?<![\w:.,])(?<!pH was )(?<!GPA of )(?P<h>1\d|2[0-3]|[1-9])\.(?P<m>[0-5]\d)(?P<s>)(?P<half>)"
            r"(?=(?: train| bus| express| ferry| in the (?:morning|afternoon|evening)| o'clock)\b)",
            _time,
            ".",
        ),
        rule(
            "time",
            r"(?P<lead>\b(?:left|leaves?|arrived?|arrives|met|came|began|departs?|departed|woke|due) at )"
            r"(?P<h>1[0-2]|[1-9])\.(?P<m>[0-5][05])(?P<s>)(?P<half>)(?=[,;:!?)]|\.?$|\.\s|\s(?:and|but|on|for|to)\b)",
            _time,
            ".",
        ),
        rule(
            "time",
            r"(?<![\w:.,])(?P<h>[01]?\d|2[0-4])[:.](?P<m>[0-5]\d)(?::(?P<s>[0-5]\d)(?:\.\d+)?)?\s?"
            r"(?P<half>[aApP]\.?\s?[mM]\b\.?)",
            _time,
            ":.",
        ),
        rule(
            "time",
            r"(?:(?<![\w:.,])|(?<=\dT))(?P<h>[01]?\d|2[0-4]):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d))?(?P<half>)"
            r"(?P<hours>\s?(?:h|hrs|hours)\b)?(?=Z\b|ish\b|[^\w:]|$)(?!\.\d|,\d{3})",
            _time,
            ":",
        ),
        rule(
            "time",
            r"(?<![\w:.,])(\d{1,2}):([0-5]\d)\.(\d{1,3})(?![\w:]|[.,]\d)",
            lambda m: f"{numbers.whole(m[1])} {_minutes(m[2])} point {numbers.digits(m[3])}",
            ":",
        ),
        rule(
            "time",
            r"(?<![\w:.,])(?P<h>1[0-2]|0?[1-9])(?P<m>)(?P<s>)\s?(?P<half>[aApP]\.?[mM]\b\.?)",
            _time,
            "aApP",
        ),
        rule(
            "time",
            r"(?<![\w:.,])(?P<h>1[0-2]|0?[1-9])(?::00)?(?P<clock>\s?o'clock)\b",
            lambda m: f"{numbers.cardinal(int(m['h']))} o'clock",
            "'",
        ),
    ]


def _minutes(text: str) -> str:
    """`09` -> "oh nine\""""
    return f"oh {numbers.whole(text[1])}" if text[0] == "0" and text != "00" else numbers.whole(text)


def _duration(match: re.Match[str]) -> Readings:
    """`3h 20m`, `1h30`."""
    names = ("hour", "minute", "second")
    return " ".join(
        f"{numbers.cardinal(int(count))} {name if int(count) == 1 else name + 's'}"
        for count, name in zip(match.groups(), names, strict=True)
        if count
    )


def _military(match: re.Match[str]) -> Readings:
    """`0600 hours`, and "fourteen hundred hours", which is right of a count too; `1430 hours` behind "at"."""
    either = match["m"] == "00" and match["word"] == "hours" and match["h"] not in ("10", "20")
    lead = match["lead"] or ""
    if not lead and match["h"][0] != "0" and not either:
        return None
    if "was" in lead and re.match(r"\s(?:of|before|since)\b", match.string[match.end() :]):
        return None  # "It was 2000 hours of work."
    hour, minute = int(match["h"]), match["m"]
    zeros = ("zero ", "oh ") if match["h"][0] == "0" else ("",)
    rest = {"0": "hundred" if minute == "00" else f"zero {numbers.cardinal(int(minute))}"}.get(
        minute[0], numbers.cardinal(int(minute))
    )
    ending = " Z" if match["word"] == "Z" else " hours"
    spelled = numbers.spelled(match["h"] + minute) if lead else numbers.readings(match["h"] + minute)
    found = [f"{zero}{numbers.cardinal(hour)} {rest}" for zero in zeros]
    return [f"{lead}{one}{ending}" for one in (*found, *spelled)]


def _time(match: re.Match[str]) -> Readings:
    found = match.groupdict()
    hour, minute, second = int(found["h"]), found["m"] or "00", found["s"]
    half = "".join(c for c in found["half"] if c.isalpha()).upper()
    ending = f" {half[0]} {half[1]}" if half else ""
    # The full stop of "p.m." may end the sentence too.
    if found["half"].endswith(".") and SENTENCE_END.match(match.string[match.end() :]):
        ending += "."
    words = numbers.cardinal(hour)
    minutes = numbers.cardinal(int(minute))
    spoken = f"{words} oh {minutes}" if minute[0] == "0" else f"{words} {minutes}"
    if second:
        seconds = f"{numbers.cardinal(int(second))} second{'' if second == '01' else 's'}"
        shown = "hundred" if minute == "00" else spoken.removeprefix(f"{words} ")
        plain = f"{'oh ' if second[0] == '0' else ''}{numbers.cardinal(int(second))}"
        long = f"{words} hour{'' if hour == 1 else 's'} {minutes} minute{'' if minute == '01' else 's'}"
        return [
            f"{words} {shown} and {seconds}{ending}",
            f"{words} {shown} {plain}{ending}",
            f"{long} and {seconds}{ending}",
            f"{long} {seconds}{ending}",
            f"{words} {minutes} {plain}{ending}",
            f"{words} {minutes} and {seconds}{ending}",
        ]
    if minute == "00":
        if half:
            return [f"{words}{ending}", f"{words} o'clock{ending}"]
        if 0 < hour <= 12 and found["h"][0] != "0" and not found.get("hours"):
            return [
                f"{words} o'clock",
                words,
                f"{words} hundred",
                f"{words} hundred hours",
                f"{words} zero zero",
            ]
        named = f"zero {words}" if found["h"][0] == "0" and hour else words
        hundred = f"{named} hundred"
        return [
            f"{hundred} hours" if found.get("hours") else hundred,
            hundred,
            f"{hundred} hours",
            f"oh {words} hundred",
            f"{words} o'clock",
            *(["midnight"] if hour in (0, 24) else []),
        ]
    if found["h"][0] == "0" and hour and not half:
        return [spoken, f"zero {spoken}", f"oh {spoken}"]
    readings = [spoken] if minute[0] != "0" else [spoken, f"{words} zero {minutes}"]
    if hour == 0:
        readings.append(spoken.replace("zero", "twelve", 1))
    if minute in ("15", "30", "45"):
        following = numbers.cardinal(hour % 12 + 1)
        readings += {
            "15": [f"quarter past {words}", f"a quarter past {words}"],
            "30": [f"half past {words}"],
            "45": [f"quarter to {following}", f"a quarter to {following}"],
        }[minute]
    readings = [f"{found.get('lead') or ''}{one}{ending}" for one in readings]
    if minute[0] == "0":
        readings.append(f"~{words} {minutes}{ending}")
    return [f"{one} hours" for one in readings] + readings if found.get("hours") else readings
