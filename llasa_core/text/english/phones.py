"""Phone numbers, and what is dialled."""

import re
from collections.abc import Callable, Sequence

from llasa_core.text.english import numbers
from llasa_core.text.rules import Readings, Rule, rule

Number = Callable[[str], Sequence[str]]
_DIALLED = (
    r"call(?:ed|ing)?|dial(?:l?ed|l?ing)?|phon(?:e|ed|ing)|ring|rang|text|"
    r"tel\.?|telephone|extension|ext\.|code|PIN|pin|zip|ZIP|postcode|number is"
)


def rules(number: Number) -> list[Rule]:
    """number: all readings of a number, the best first."""
    return [
        rule(
            "phone",
            r"(?<![\w.,])\+\s?\d{1,3}(?:[\s.-]?\(?\d{1,5}\)?){1,6}(?![\w%°]|[.,]\d)",
            lambda m: _phone(m, plus=True),
            "+",
        ),
        rule(
            "phone",
            r"(?<![\w.,])(?:1[- .])?\(\d{3}\)\s?\d{3}[-. ]\d{4}(?!\w)|(?<![\w.,-])(?:1[-. ])"
            r"?\d{3}[-.]\d{3}[-.]\d{4}(?![\w-])",
            _phone,
        ),
        rule(
            "phone",
            r"(?<![\w.,-])(?:(1)-)?(8)(?:00|(\d\d))-(?=[A-Z]{2,})",
            lambda m: " ".join(
                [*(["one"] if m[1] else []), "eight", numbers.whole(m[3]) if m[3] else "hundred", ""]
            ),
            "8",
        ),
        rule("phone", r"(?<![\w.,-])(?:\d-)?\d{3}-\d{4}(?![\w-]|\.\d)", _short, "-"),
        rule("phone", r"(?<![\w.,-])0\d{2,4}[ -]\d{3,6}(?:[ -]\d{3,4})?(?![\w-]|[.,]\d)", _phone),
        rule(
            "phone",
            rf"(?P<lead>\b(?i:{_DIALLED})\s)(?P<n>\d{{3,12}}(?:[- ]\d{{2,6}})*)(?!\w|[.,:]\d)",
            lambda m: _dialled(m, number),
        ),
    ]


def _phone(match: re.Match[str], plus: bool = False) -> Readings:
    text = match.group()
    if plus and sum(c.isdigit() for c in text) < 7 and not re.search(r"\d[ -]\d", text):
        return None
    groups = re.findall(r"\d+", text)
    found = [f"{'plus ' if plus else ''}{one}" for one in numbers.spelled("".join(groups))]
    if "800" in groups:
        found += [
            one.replace("eight zero zero", "eight hundred").replace("eight oh oh", "eight hundred")
            for one in found
        ]
    return found


def _short(match: re.Match[str]) -> Readings:
    """`555-1234`, but not 500-1000 men, nor pages 998-1004."""
    first, _, last = match.group().rpartition("-")
    rising = "-" not in first and int(first) < int(last) <= 4 * int(first)
    before = match.string[: match.start()]
    counted = re.search(
        r"(?<![\w.])(?:pp?\.|[Pp]ages?|[Aa]bout|[Ff]rom|[Ss]ome|[Bb]etween|[Nn]early|c\.|lines?)\s$",
        before,
    )
    called = re.search(r"(?i)\b(?:call(?:ed)?|came|text|number)\s(?:from|is)\s$", before)
    if rising and not called and (counted or (first.endswith("0") and last.endswith("0"))):
        return None
    return _phone(match)


def _dialled(match: re.Match[str], number: Number) -> Readings:
    if re.match(r"(?i)called", match["lead"]) and re.fullmatch(r"1[1-9]\d\d|20\d\d", match["n"]):
        return None  # "He called 1984 a masterpiece"
    if (
        match["lead"].strip() in ("number is", "text", "ring")
        and len(match["n"]) < 4
        and match["n"] not in ("911", "999", "112")
    ):
        return None
    if re.match(r"\s(?:people|men|women|\w+[^s\W]s)\b", match.string[match.end() :]):
        return None  # "call 300 friends"
    also = number(match["n"]) if match["n"].isdigit() and len(match["n"]) < 4 else ()
    found = dict.fromkeys((*numbers.spelled(match["n"]), *also))
    lead = re.sub(r"(?i)ext\.", "extension", re.sub(r"(?i)tel\.?(?= )", "telephone", match["lead"]))
    return [f"{lead}{one}" for one in found]
