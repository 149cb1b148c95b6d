"""Written codes as English reads them: web addresses, phone and postal numbers, versions, plain numbers."""

import re
from collections.abc import Sequence

from llasa_core.text.english import numbers, phones, roman
from llasa_core.text.english.dates import MONTHS
from llasa_core.text.english.patterns import INTEGER, MARKED, NUMBER, SAINTS, START, combined, plain_number
from llasa_core.text.english.places import STATES
from llasa_core.text.rules import Readings, Rule, pairs, rule

_LABELS = (
    "chapter|part|section|episode|volume|season|level|lesson|unit|day|week|track|scene|act|book|verse|"
    "page|figure|table|"
    "step|question|exercise|version|phase|round|grade|line|item|room|gate|platform|number|no\\.|vol\\.|"
    "ch\\.|ep\\.|fig\\.|article|floor"
)
_NUMBERED = pairs(
    """
    no|number nos|numbers vol|volume vols|volumes ch|chapter chap|chapter fig|figure figs|figures
    sec|section eq|equation eqs|equations bldg|building flr|floor blk|block ep|episode art|article p|page
    pp|pages pg|page pgs|pages ex|exercise tel|telephone ext|extension apt|apartment ste|suite rm|room
    app|appendix op|opus hwy|highway rte|route rt|route bk|book pt|part pts|parts min|minimum max|maximum
    est|established avg|average para|paragraph
    """
)
_FLIES = "was|is|had|has|at|on|in|to|from|and|flew|crashed|landed|took|carrying|jet|jumbo|Dreamliner"
_WHOSE = "[Aa]|[Tt]he|[Hh]is|[Hh]er|[Mm]y|[Oo]ur|[Tt]heir|old"
_LIVED = {"b": "born", "d": "died", "r": "reigned", "fl": "flourished"}


class Codes:
    """The rules. Those of `codes` stand before amounts and dates, those of `plain` after them."""

    def __init__(self, british: bool) -> None:
        self.british = british

    def codes(self) -> list[Rule]:
        return [
            *self._named(),
            rule(
                "address",
                r"(?<![\w.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?::(\d+))?(?![\w]|\.\d)",
                self.ip,
                ".",
            ),
            rule("postal number", rf"\b({'|'.join(STATES)}),?\s(\d{{5}})(?:-(\d{{4}}))?\b", self.zip),
            rule("postal number", r"\b([A-Z]{1,2})(\d{1,2})([A-Z]?)\s(\d)([A-Z]{2})\b", self.postcode),
            *phones.rules(self.number),
            rule(
                "code",
                r"(?<![\w.,/-])(?!\d{4}-\d\d?-\d\d?(?!\d)|\d\d?-\d\d?-\d{4}(?!\d)|\d\d?-\d\d?-\d\d(?!\d))\d+"
                r"(?:-\d+){2,}(?:-?[xX])?(?![\w/-])",
                lambda m: self.groups(m),
                "-",
            ),
            rule(
                "version",
                r"(?<![\w.])(?:[Vv]\.?|[Vv]\.?\s(?=\d+\.\d)|[Vv]er(?:sion)?\.?\s?)(?=\d)(\d+(?:\.\d+)*)(?![\w]|\.\d)",
                self.version,
                "vV",
            ),
            rule(
                "version",
                r"(?<![\w.,])(?!\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})(?!\d))"
                r"(?![12]\d{3}\.[01]\d\.[0-3]\d(?!\d))(?!\d{1,3}(?:\.\d{3}){2,}"
                r"(?![\d.]))\d+(?:\.\d+){2,}(?!\w|\.\d)",
                lambda m: self.points(m.group()),
                ".",
            ),
        ]

    def _named(self) -> list[Rule]:
        """Numbers that have a reading of their own."""
        return [
            rule("code", r"\b911(?= (?:call|operator|dispatch|emergency))", lambda m: "nine one one", "9"),
            rule(
                "meter",
                r"\b([2-9])/([48])(?= time\b)",
                lambda m: " ".join(map(numbers.whole, m.groups())),
                "/",
            ),
            rule("code", r"\bK[-–]12\b", lambda m: ("K twelve", "K through twelve", "K to twelve"), "K"),
            rule("code", r"\b401\(k\)", lambda m: ("four oh one K", "four zero one K"), "("),
            rule("code", r"\b(480|720|1080|1440|2160)([pi])\b", _lines, "pi"),
            rule("code", r"\b(Boeing|Airbus) A?(\d)(\d\d)(?:-(\d)00)?(?!\d)", _aircraft, "BA"),
            rule(
                "code",
                rf"\b({_WHOSE}) 7([0-8])7(s?)(?=$|[,;:!?.](?!\d)|\s(?:{_FLIES})\b)",
                lambda m: f"{m[1]} seven {'oh seven' if m[2] == '0' else numbers.whole(m[2] + '7')}{m[3]}",
                "7",
            ),
            rule(
                "code",
                rf"\b({_WHOSE}) \.(22|25|30|32|38|44|45|50|357)(?=s?(?:[,;!?]|\.?$|\.\s|"
                r"\s(?:Magnum|Special|Colt|cal|revolver|pistol|automatic|rifle|in|from|and|at|on|was|had)))",
                lambda m: f"{m[1]} {_caliber(m[2])}",
                ".",
            ),
            rule("code", r"^10-4(?=[,.!]|$)", lambda m: "ten four", "-"),
            rule(
                "code",
                r"(?<![\w.,/-])24-7(?![\w/-])",
                lambda m: ("twenty four seven", "twenty four to seven"),
                "-",
            ),
            rule("code", r"(?<![\w.,-])\d{4}(?: \d{4}){2,}(?!\w)", self.groups, " "),
        ]

    def plain(self) -> list[Rule]:
        number = r"[\d\U000f0000-\U000ffffd]"
        year = r"(?=(?:[12]\d{3}\b|c(?:a|irca)?\.?\s|[\U000f0000-\U000ffffd]))"
        return [
            rule("footnote", r"(?:(?<=[a-z]{3})|(?<=[a-z][.,;:!?]))\^\d{1,2}(?!\d)", lambda m: "", "^"),
            rule(
                "charge",
                r"(?:(?<=[A-Z])|(?<=[A-Z][a-z])|(?<=[A-Z]\d))\^(\d?)([-+−])(?!\w)",
                lambda m: f" {numbers.whole(m[1]) if m[1] else ''} {'plus' if m[2] == '+' else 'minus'}",
                "^",
            ),
            rule("power", r"(?<=[A-Za-zΑ-ω)])\^([23]|[-−]?\d+)(?!\d)", _power, "^"),
            rule(
                "label",
                rf"\b((?i:{'|'.join(sorted(_NUMBERED, key=len, reverse=True))}))\.\s?"
                rf"(?=#?{number}|[IVXL]+\b)|\b((?i:eqs?))\.\s?(?=\({number})",
                _label,
                ".",
            ),
            rule("label", r"\bNo (?=\d)", lambda m: ("Number ", "No ") if self.british else None, "N"),
            rule("label", rf"(?<![\w.])([bdr]|fl)\.\s?{year}", lambda m: f"{_LIVED[m[1]]} ", "."),
            rule("label", r"\bca?\.\s?(?=\d{3,4}\b|[\U000f0000-\U000ffffd])", lambda m: "circa ", "."),
            rule("label", r"(?<!\w)#(?=\d+[A-Za-z])", lambda m: "hashtag ", "#"),
            rule("label", rf"(?<!\w)#\s?(?={number}(?!\d*[A-Za-z]))", lambda m: "number ", "#"),
            rule(
                "label", r"(?<=[\U000f0000-\U000ffffd] )x(?=\d{2,5}\b)", lambda m: ("extension ", "x "), "x"
            ),
            rule("label", rf"(?i:\b({_LABELS})\s)(0+)(?=[1-9])", lambda m: m[1] + " ", "0"),
            rule("code", r"(?<![\w.,])00([1-9])(?!\w)", lambda m: _double(m[1]), "0"),
            rule(
                "address",
                rf"(?<![\w.])(\d+)(?:st|nd|rd|th) St\.(?=\s(?:{SAINTS})\b)",
                lambda m: f"{numbers.ordinal(int(m[1]))} Street.",
                "S",
            ),
            rule("ordinal", rf"(?<!\d)({INTEGER})(?:st|nd|rd|th|ST|ND|RD|TH)(ly)?(?!\w)", self.nth),
            rule("ordinal", r"(?<![\w.,£-])(\d{0,2}[23])d(?![\w.]*\d|\w)", self.old_nth, "d"),
            rule(
                "number",
                rf"(?<![\w.,])(?P<minus>[-−]\s?|(?<=[a-z] )–)(?P<n>{_POINTED_OR_NUMBER})(?![\w/]|[.,]\d)",
                self.signed,
                "-−–",
            ),
            rule(
                "number",
                rf"{START}({NUMBER})\+(?![\w+])",
                lambda m: combined("{} plus", self.number(m[1])),
                "+",
            ),
            rule(
                "money",
                rf"{START}({NUMBER})p(?!\w)",
                lambda m: [
                    f"{one} {name}"
                    for name in (("pence", "p") if self.british else ("p", "pence"))
                    for one in self.number(m[1])
                ],
                "p",
            ),
            rule(
                "plural",
                r"(?<![\w.,])(\d+)'?s\b",
                lambda m: [numbers.plural(one) for one in numbers.readings(m[1])[:4]],
                "s",
            ),
            rule("number", rf"(?<![\d.,])(?P<n>{_POINTED_OR_NUMBER})", self.last),
            rule("number", r"\d+", lambda m: numbers.spelled(m.group())),
        ]

    def number(self, text: str) -> tuple[str, ...]:
        return numbers.readings(plain_number(text), self.british)

    def ip(self, match: re.Match[str]) -> Readings:
        parts = [part for part in match.groups()[:4]]
        port = f" colon {numbers.digits(match[5])}" if match[5] else ""
        spelled = " dot ".join(numbers.digits(part) for part in parts) + port
        return [
            spelled,
            spelled.replace("zero", "oh"),
            " dot ".join(numbers.whole(part) for part in parts) + port,
            " point ".join(numbers.digits(part) for part in parts) + port,
        ]

    def zip(self, match: re.Match[str]) -> Readings:
        digits = match[2] + (match[3] or "")
        return [
            f"{state} {one}"
            for one in numbers.spelled(digits)
            for state in (STATES[match[1]], " ".join(match[1]), match[1])
        ]

    def postcode(self, match: re.Match[str]) -> Readings:
        def letters(text: str) -> str:
            return " ".join(text)

        parts = [
            letters(match[1]),
            "{}",
            *([letters(match[3])] if match[3] else []),
            numbers.digits(match[4]),
            letters(match[5]),
        ]
        return combined(" ".join(parts), (numbers.whole(match[2]), numbers.digits(match[2])))

    def groups(self, match: re.Match[str]) -> Readings:
        ending = " X" if match.group()[-1] in "xX" else ""
        found = [f"{one}{ending}" for one in numbers.spelled(match.group())]
        parts = match.group().split("-")
        if len(parts) == 3 and all(re.fullmatch(r"[1-9]\d?|0", part) for part in parts):
            found.insert(0, " ".join(map(numbers.whole, parts)))  # won, lost, drawn
        return found

    def points(self, text: str) -> Sequence[str]:
        parts = text.split(".")
        best = " point ".join(numbers.whole(part) for part in parts)
        return [
            best,
            " dot ".join(numbers.whole(part) for part in parts),
            " point ".join("oh" if part == "0" else numbers.whole(part) for part in parts),
            "~" + " ".join(numbers.whole(part) for part in parts),
        ]

    def version(self, match: re.Match[str]) -> Readings:
        if match.group()[0] == "V" and match.group()[1].isdigit() and "." not in match[1]:
            return combined("V {}", self.number(match[1]))
        points = self.points(match[1])
        return [
            f"~{name} {one[1:]}" if one[0] == "~" else f"{name} {one}"
            for name in ("version", "v")
            for one in points
        ]

    def nth(self, match: re.Match[str]) -> Readings:
        plain = match[1].replace(",", "")
        if len(plain) > numbers.MAX_DIGITS:
            return None
        found = [numbers.ordinal(int(plain), self.british)]
        if len(plain) == 4:
            found += [numbers.to_ordinal(one) for one in numbers.years(plain)]
        if match.lastindex == 2 and match[2]:
            found = [f"{one}ly" for one in found]
        # "B2nd": a letter before starts another word.
        return (
            [f" {one}" for one in found]
            if re.match(r"\w", match.string[match.start() - 1 : match.start()])
            else found
        )

    def old_nth(self, match: re.Match[str]) -> Readings:
        """`the 2d of May`, `42d Regiment`: as older American books write 2nd and 3rd."""
        number, after = int(match[1]), match.string[match.end() :]
        before = match.string[: match.start()]
        short = r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\."
        month = re.search(rf"(?:{'|'.join(MONTHS)}|{short})\s$", before) or (
            re.search(rf"{MARKED}\s$", before) and re.match(r"[.,;:]|$", after)
        )
        article = re.search(r"(?:^|\b(?:[Tt]he|his|her|this|on|On|and)\s)$", before)
        named = re.match(
            r"\s(?:of|inst|ult|ed\.|edition|place|day|year|time|century|battalion|regiment|[A-Z][a-z])", after
        )
        if number % 100 in (12, 13) or not (month or (article and (named or number > 20))):
            return None
        return numbers.ordinal(number, self.british)

    def signed(self, match: re.Match[str]) -> Readings:
        sign = match["minus"].strip()
        behind = match.string[match.start() - 1 : match.start()]
        if sign == "-" and (match["minus"] != sign or (behind and not re.match(r"[\s(\[=<>/\"']", behind))):
            return None
        words = ("minus", "negative")
        return combined("{} {}", words, self.number(match["n"]))

    def last(self, match: re.Match[str]) -> Readings:
        return self.number(match["n"])


_POINTED_OR_NUMBER = rf"(?:\d{{1,3}}(?:\.\d{{3}}){{2,}}(?![\d.])|{NUMBER})"


def _caliber(digits: str) -> str:
    """`.45`, `.357`"""
    return f"three {numbers.whole(digits[1:])}" if len(digits) == 3 else numbers.whole(digits)


def _double(digit: str) -> Readings:
    """`007`"""
    return [f"{zeros} {numbers.digits(digit)}" for zeros in ("zero zero", "double oh", "oh oh")]


def _lines(match: re.Match[str]) -> Readings:
    """Lines of a picture: `1080p`."""
    found = numbers.readings(match[1])
    pair = f"{numbers.whole(match[1][:-2])} {numbers.whole(match[1][-2:])}"
    return [f"{one} {match[2]}" for one in (pair, *found)]


def _aircraft(match: re.Match[str]) -> Readings:
    letter = " A" if " A" in match.group() else ""
    readings = numbers.readings(match[2] + match[3])
    pair = f"{numbers.whole(match[2])} {'oh ' if match[3][0] == '0' else ''}{numbers.cardinal(int(match[3]))}"
    kind = f" {numbers.cardinal(int(match[4]))} hundred" if match[4] else ""
    return [f"{match[1]}{letter} {one}{kind}" for one in (pair, *readings)]


def _power(match: re.Match[str]) -> Readings:
    """The exponent of a letter: `x^2`."""
    exponent = match[1]
    if exponent in ("2", "3"):
        return "squared" if exponent == "2" else "cubed"
    minus = "minus " if exponent[0] in "-−" else ""
    return f"to the power of {minus}{numbers.whole(exponent.lstrip('-−'))}"


_WORDS_TOO = frozenset("art app ex sec ste".split())
_BESIDE_I = frozenset("no min max sec art app ex ste est avg p pt pts chap fig op apt ch bk vol ep".split())
"""Words that end sentences too: "I" behind them is the pronoun unless nothing follows ("No. I am late.")."""
_ANSWERED = re.compile(r"\b(?:sa(?:id|ys?)|answer(?:s|ed)?|replied|is|was|means?)[ ,:\"']+$")


def _label(match: re.Match[str]) -> Readings:
    """`No. 7`, unless the full stop ends a sentence: "He said no. 3 men left.\""""
    written, before = match[1] or match[2], match.string[: match.start()]
    short = written.lower()
    after = match.string[match.end() :]
    if written == "P" and not after[:1].isdigit() and not re.search(r"\b[Ss]ee\s$", before):
        return None  # an initial
    if written == "P" and before.endswith("."):
        return None  # of "M.P."
    if short in _BESIDE_I and re.match(r"I\b", after) and roman.is_pronoun(after[1:]):
        return None
    if short == "no" and re.match(r"I\b", after) and roman.is_answer(before, after[1:]):
        return None
    if written.islower() and short == "no" and _ANSWERED.search(before):
        return None
    if short in ("chap", "fig", "chaps", "figs") and re.search(
        r"\b(?:an?|the|old|poor|this)\s(?:\w+\s)?$", before
    ):
        return None
    if written.islower() and short in _WORDS_TOO and not re.search(r"(?:\(|\b(?:see|in)\s)$", before):
        return None
    words = _NUMBERED[short]
    return f"{words.capitalize() if written[0].isupper() else words} "
