"""English dates, years and decades."""

import re
from collections.abc import Sequence

from llasa_core.text.english import numbers
from llasa_core.text.english.patterns import combined
from llasa_core.text.english.units import UNITS, is_measured
from llasa_core.text.rules import Readings, Rule, rule

MONTHS = "January February March April May June July August September October November December".split()
_SHORT = {**{month[:3]: month for month in MONTHS}, "Sept": "September"}
_MONTH = rf"(?:{'|'.join(MONTHS)}|(?:{'|'.join(_SHORT)})\b\.?)"
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_SHORT_DAYS = {**{day[:3]: day for day in _DAYS}, "Tues": "Tuesday", "Thur": "Thursday", "Thurs": "Thursday"}
_YEAR = r"\d{4}(?!\d|,\d|\.\d)"
_TO = r"\s?[-–—]\s?"
_IN = (
    r"in|since|until|till|year|years|during|circa|ca?\.|early|late|mid|spring of|summer of|autumn of|"
    "fall of|winter of|"
    r"class of|copyright|©|born|died|from|between|after|before|through|year was|(?-i:Form|A\.?D\.?)"
)
_LEAD = re.compile(rf"\b(?:{_IN})[\s-]$", re.IGNORECASE)
_NOT_PLURAL = frozenset(
    "was is has this its does his as us thus yes always perhaps across unless whereas sees saw brings "
    "ends begins "
    "marks means shows sees seems comes goes makes gives takes bus class less".split()
)
_PEOPLE = frozenset(
    "people men women children feet dollars pounds euros kilometers miles words units points votes of "
    "percent more fewer "
    "other different new calories sheep fish horses square cubic million billion thousand "
    "kilometres metres meters".split()
)
_FALLEN = frozenset("killed wounded dead infantry cavalry".split())
_SIZE = re.compile(
    r"\ban? (?:\w+ )?(?:crew|population|total|loss|force|garrison|army|majority|height|depth|length|"
    r"distance) of $"
)
"""Before a number that is a count: "a crew of 1198"."""
_MEASURED = frozenset(("ton tonne page acre seat man " + " ".join(UNITS.values())).replace("=", "").split())
"""Behind a hyphen: "a 2040-ton ship"."""
_EVENT = re.compile(r"\b(?:[A-Z][a-z]+ of |(?:of|at) [A-Z][a-z]+ \()$")
"""Before the year of what has a name: "the Conquest of 1066", "the Battle of Hastings (1066)"."""
_AFTER_EVENT = re.compile(r"$|[.,;:!?)\"']|\s(?:and|to|was|had|that|which|when)\b")
_PART = re.compile(
    r"\s(?:of\b(?! (?:last|this|next)\b)|(?:an?\s)?(?:hour|inch|mile|pound|ounce|cup|pint|acre)\b)"
)
"""Behind a fraction that is no date: "on 3/4 of the data", "until 1/2 hour later"."""
_GROWTH = re.compile(
    r"\b(?:cut|reduced|lowered|rose|risen|fell|fallen|grew|grown|shrank|shrunk|increased|decreased|multiplied|"
    r"divided)\s$"
)
"""Before "by 1/3", which is a part."""


def month_name(text: str) -> str:
    """`Sept.` -> `September`."""
    plain = text.rstrip(".")
    return _SHORT.get(plain, plain)


class Dates:
    """The rules; `british` reads 3/4/2024 as the third of April."""

    def __init__(self, british: bool) -> None:
        self.british = british

    def rules(self) -> list[Rule]:
        day = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
        return [
            rule(
                "date",
                r"(?<![\w/.,-])(?P<y>[12]\d{3})(?P<sep>[-/.])(?P<m>0?[1-9]|1[0-2])(?P=sep)(?P<d>[0-2]?\d|"
                r"3[01])(?:T(?=\d\d:|[\U000f0000-\U000ffffd])|(?![\w/-]|[.,]\d))",
                self.numeric,
                "-/.",
            ),
            rule(
                "date",
                r"(?<![\w/.,-])(?P<a>[0-3]?\d)(?P<sep>[-/.])(?P<b>[0-3]?\d)(?P=sep)(?P<y>[12]\d{3}|\d{2}"
                r"(?!\d))(?![\w/-]|[.,]\d)",
                self.numeric,
                "-/.",
            ),
            rule(
                "date",
                r"(?P<before>\b(?:[Oo]n|[Bb]y|[Ss]ince|[Uu]ntil|dated)\s)(?!9/11|24/7)(?P<a>[0-3]?\d)/(?P<b>[0-3]?\d)"
                r"(?P<y>)(?![\w/]|[.,]\d)",
                self.numeric,
                "/",
            ),
            rule(
                "date",
                rf"\b(?P<month>{_MONTH})\s{day}(?:{_TO}(?P<last>[0-3]?\d)(?:st|nd|rd|th)?)?(?P<comma>,?)"
                rf"(?:\s(?P<y>{_YEAR}))?(?![\w:]|[.,]\d|\s?[ap]\.?m\b)",
                self.month_first,
                "JFMASOND",
            ),
            rule(
                "date",
                rf"(?P<the>\b[Tt]he\s)?(?<![\w.,/:-]){day}(?:{_TO}(?P<last>[0-3]?\d)(?:st|nd|rd|th)?)?\s"
                rf"(?:of\s)?(?P<month>{_MONTH})(?P<comma>,?)(?:\s(?P<y>{_YEAR}))?(?![\w-]|[.,]\d)",
                self.day_first,
                "JFMASOND",
            ),
            rule(
                "date",
                rf"\b(?P<month>{_MONTH})(?P<comma>,?)\s(?P<of>of\s)?(?P<y>[12]\d{{3}})(?![\w,]*\d)(?:{_TO}"
                rf"(?P<last>\d{{4}}|\d{{2}})(?!\d))?",
                self.month_year,
                "JFMASOND",
            ),
            rule(
                "date",
                rf"\b({'|'.join(_SHORT)})\.(?=\s?[-–—]?\s?[\d\U000f0000-\U000ffffd]|,)",
                lambda m: month_name(m[1]),
                "JFMASOND",
            ),
            rule(
                "date",
                rf"(?<![-–—])(?<![-–—]\s)\b({'|'.join(_SHORT_DAYS)})\.(?=,?\s(?:{_MONTH}|[\d\U000f0000-\U000ffffd]|(?:to|through)\s))",
                lambda m: _SHORT_DAYS[m[1]],
                "MTWFS",
            ),
            rule(
                "date",
                r"(?<![\w/.,-])(?P<m>0?[1-9]|1[0-2])/(?P<y>19\d\d|20\d\d)(?![\w/]|[.,]\d)",
                lambda m: [f"{MONTHS[int(m['m']) - 1]} {one}" for one in self.years(m["y"])],
                "/",
            ),
            rule("year", r"(?<=[A-Za-z]{2})(?P<y>19[5-9]\d|20[0-4]\d)(?!\w|[.,]\d)", self.attached_year),
            rule("decade", r"(?<![\w.,])'?(?P<n>\d{0,3}0)'?s\b", self.decade, "s"),
            rule("year", r"(?<![\w])'(?P<n>\d{2})(?![\w'°]|[.,]\d)", self.short_year, "'"),
            rule(
                "years",
                rf"(?<![\w.,/-])(?P<a>1\d{{3}}|20\d{{2}})(?:{_TO}(?P<b>\d{{4}}|\d{{2}})|[-–](?P<c>\d))(?![\w/-]|[.,]\d|\s?=)",
                self.span,
                "-–—",
            ),
            rule(
                "years",
                r"(?<![\w.,/-])(?P<a>1[5-9]\d{2}|20\d{2})/(?:(?P<b>\d{4}|\d{2})|(?P<c>\d))(?![\w/-]|[.,]\d|\s?=)",
                self.span,
                "/",
            ),
            rule(
                "year",
                r"(?:(?<![\w.,/$])|(?<=\b[bcdr]\.))(?<!\s-)(?<!^-)(?P<y>1\d{3}|2[01]\d{2})(?![×x]|\s×)(?P<end>'s)?"
                r"(?P<era>\s?(?:AD|BC|CE|BCE|A\.D\.|B\.C\.))?(?![\w/]|[.,]\d|-\d)",
                self.year,
            ),
        ]

    def years(self, text: str) -> tuple[str, ...]:
        return numbers.years(text, self.british)

    def _date(self, month: str, day: int, year: str, comma: str = "") -> list[str]:
        nth, plain = numbers.ordinal(day), numbers.cardinal(day)
        ends = (
            [f"{comma} {one}" for one in self.years(year)]
            if len(year) == 4
            else [f" {one}" for one in _short(year)]
        )
        american = [f"{month} {nth}", f"{month} the {nth}", f"{month} {plain}"]
        british = [f"the {nth} of {month}", f"~{nth} of {month}", f"~{nth} {month}", f"~{plain} {month}"]
        stems = [*british, *american] if self.british else [*american, *british]
        return [f"{stem}{end}" for end in ends or [""] for stem in stems]

    def numeric(self, match: re.Match[str]) -> Readings:
        found = match.groupdict()
        if "a" in found:
            first, second = int(found["a"]), int(found["b"])
            day, month = (first, second) if self.british or found.get("sep") == "." else (second, first)
            if month > 12 and day <= 12:
                day, month = month, day
        else:
            day, month = int(found["d"]), int(found["m"])
        before = found.get("before") or ""
        if not (1 <= month <= 12 and 1 <= day <= 31) or (before and _is_part(match)):
            return None
        dates = self._date(MONTHS[month - 1], day, found["y"])
        return [f"~{before}{one[1:]}" if one[0] == "~" else f"{before}{one}" for one in dates]

    def month_first(self, match: re.Match[str]) -> Readings:
        day = int(match["day"])
        follows = re.match(r"\s(\w+)", match.string[match.end() :])
        counted = follows and follows[1] in _PEOPLE and not match["y"]
        if not 1 <= day <= 31 or counted:
            return None
        month, comma = month_name(match["month"]), match["comma"]
        if match["last"]:
            days = combined(
                "{} to {}", *((numbers.ordinal(n), numbers.cardinal(n)) for n in (day, int(match["last"])))
            )
            ends = [f"{comma} {one}" for one in self.years(match["y"])] if match["y"] else [comma]
            return [f"{month} {one}{end}" for end in ends for one in days]
        nth = [
            f"{month} {numbers.ordinal(day)}",
            f"{month} the {numbers.ordinal(day)}",
            f"{month} {numbers.cardinal(day)}",
        ]
        ends = [f"{comma} {one}" for one in self.years(match["y"])] if match["y"] else [comma]
        return [f"{one}{end}" for end in ends for one in (*nth, f"the {numbers.ordinal(day)} of {month}")]

    def day_first(self, match: re.Match[str]) -> Readings:
        day, month = int(match["day"]), month_name(match["month"])
        if not 1 <= day <= 31 or (
            month == "May" and not match["y"] and re.match(r"\s[a-z]", match.string[match.end() :])
        ):
            return None
        the = match["the"] or "the "
        days: Sequence[str] = [numbers.ordinal(day)]
        if match["last"]:
            days = [
                f"{numbers.ordinal(day)} to the {numbers.ordinal(int(match['last']))}",
                f"{numbers.ordinal(day)} to {numbers.ordinal(int(match['last']))}",
            ]
        ends = (
            [f"{match['comma']} {one}" for one in self.years(match["y"])] if match["y"] else [match["comma"]]
        )
        lost = "~" if match["the"] else ""
        stems = [f"{the}{one} of {month}" for one in days] + [f"{lost}{one} of {month}" for one in days]
        stems += [f"{lost}{one} {month}" for one in days]
        stems += [f"~{numbers.cardinal(day)} {month}", f"~{month} {numbers.ordinal(day)}"]
        return [f"{stem}{end}" for end in ends for stem in stems]

    def month_year(self, match: re.Match[str]) -> Readings:
        stem = f"{month_name(match['month'])}{match['comma']}{' of' if match['of'] else ''}"
        years: Sequence[str] = self.years(match["y"])
        if match["last"]:
            years = combined(
                "{} to {}",
                years,
                self.years(match["last"]) if len(match["last"]) == 4 else _short(match["last"]),
            )
        return [f"{stem} {one}" for one in years]

    def decade(self, match: re.Match[str]) -> Readings:
        text = match["n"]
        if text in ("10", "100", "1000"):
            return {"10": "tens", "100": "hundreds", "1000": "thousands"}[text]
        if len(text) == 4:
            return tuple(numbers.plural(one) for one in self.years(text))
        return tuple(numbers.plural(one) for one in numbers.readings(text)[:1])

    def attached_year(self, match: re.Match[str]) -> Readings:
        """`FY2024`, `#vote2020`."""
        found = (*self.years(match["y"]), *numbers.readings(match["y"], self.british))
        return [f" {one}" for one in dict.fromkeys(found)]

    def short_year(self, match: re.Match[str]) -> Readings:
        return _short(match["n"])

    def span(self, match: re.Match[str]) -> Readings:
        first, second, slash = match["a"], match["b"] or match["c"], "/" in match.group()
        if is_measured(match.string[match.end() :]):
            return None  # "1500-1800 km"
        if len(second) == 1 or (slash and len(second) == 4 and second[0] == "1"):
            last = int(first[: -len(second)] + second)
            if not (1500 < last < 2000 and (last == int(first) + 1 if slash else last > int(first) >= 1500)):
                return None
        if len(second) == 4 and (second <= first or second[0] not in "12"):
            return None
        if len(second) == 2 and int(second) <= int(first[2:]) and first[2:] != "99":
            return None
        short = _short(second) if len(second) == 2 else [numbers.cardinal(int(second))]
        full = self.years(first[: -len(second)] + second)
        ends = list(full) if len(second) == 4 else [*short, *full]
        beside = slash and len(second) > 1
        return [
            f"{loose}{one}{word}{end}"
            for loose, word in ((("", " "), ("", " to ")) if beside else (("", " to "), ("~", " ")))
            for one in self.years(first)[:3]
            for end in ends[:5]
        ]

    def year(self, match: re.Match[str]) -> Readings:
        text = match["y"]
        before, after = match.string[: match.start()], match.string[match.end() :]
        led = bool(_LEAD.search(before[-24:])) or before[-1:] == "."
        if not match["era"] and is_measured(after) and not (led and _ALSO_WORDS.match(after)):
            return None  # "1912 m high"
        if not match["era"] and not led:
            follows = re.match(r"(?:\s|-)([a-z]+)", after)
            word = follows[1] if follows else ""
            plural = (
                len(word) > 3 and word.endswith("s") and not word.endswith("ss") and word not in _NOT_PLURAL
            )
            named = text[:2] == "10" and _EVENT.search(before) and _AFTER_EVENT.match(after)
            if not (named or "1100" <= text <= "2099") or plural or word in _PEOPLE or word.endswith("men"):
                return None
            if _is_count(word, before, after):
                return None
        tail = "'s" if match["end"] else ""
        if match["era"]:
            tail += f" {' '.join(c for c in match['era'] if c.isalpha())}"
        found = self.years(text)
        return [f"{one}{tail}" for one in dict.fromkeys((*found, *numbers.readings(text, self.british)))]


_ALSO_WORDS = re.compile(
    r"\s(?:W|pt|sec|min|mi|mo|cc|ms|l|g|m|oz|hp|s)\b(?!\.?\s(?:high|long|wide|deep|tall|above|below))"
)
"""Units that may be a label or a word behind a year: "In 1934 pt. II appeared."."""


def _is_part(match: re.Match[str]) -> bool:
    """`cut by 1/3`, `on 3/4 of the data`."""
    growth = match["before"].startswith(("by", "By")) and _GROWTH.search(match.string[: match.start()])
    return int(match["a"]) < int(match["b"]) and bool(growth or _PART.match(match.string[match.end() :]))


def _is_count(word: str, before: str, after: str) -> bool:
    """Whether the words around a number count something: "1346 were killed", "a crew of 1198"."""
    return (
        bool(_SIZE.search(before))
        or (after[:1] == "-" and word in _MEASURED)
        or (word in _FALLEN and not re.search(r"\b(?:[Bb]y|[Tt]he)\s$", before))
        or (word == "were" and bool(re.search(r"(?:^|[.!?]\s)[\"(]?$", before)))
    )


def _short(text: str) -> list[str]:
    """Years of two digits: `oh four`, `ninety nine`."""
    if not text:
        return []
    value = int(text)
    if text[0] == "0":
        word = numbers.cardinal(value)
        return (
            [f"oh {word}", f"zero {word}", f"two thousand {word}", f"twenty oh {word}"]
            if value
            else ["two thousand", "zero zero"]
        )
    word = numbers.cardinal(value)
    return [word, f"nineteen {word}", f"twenty {word}"]
