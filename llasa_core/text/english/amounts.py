"""English percentages, ratios, ranges and magnitudes."""

import re

from llasa_core.text.english.patterns import DASH, MINUS, NUMBER, START, Numbers, combined, signed
from llasa_core.text.english.units import MAGNITUDES
from llasa_core.text.rules import Readings, Rule, rule

_SCRIPTURE = (
    "John|Matthew|Matt|Mark|Luke|Genesis|Gen|Exodus|Exod|Leviticus|Lev|Numbers|Deuteronomy|Deut|Joshua|Judges|"
    "Ruth|Samuel|Sam|Kings|Chronicles|Chron|Ezra|Nehemiah|Esther|Job|Psalms?|Ps|Proverbs|Prov|Ecclesiastes|Eccl|"
    "Isaiah|Isa|Jeremiah|Jer|Lamentations|Ezekiel|Ezek|Daniel|Dan|Hosea|Joel|Amos|Obadiah|Jonah|Micah|Nahum|"
    "Habakkuk|Zephaniah|Haggai|Zechariah|Malachi|Acts|Romans|Rom|Corinthians|Cor|Galatians|Gal|Ephesians|Eph|"
    "Philippians|Phil|Colossians|Col|Thessalonians|Thess|Timothy|Tim|Titus|Philemon|Hebrews|Heb|James|Peter|Pet|"
    "Jude|Revelation|Rev|Koran|Quran|Qur'an|Sura|Surah"
)
"""Books whose chapters and verses are read as two numbers."""


class Amounts(Numbers):
    """The rules, for one side of the Atlantic."""

    def rules(self) -> list[Rule]:
        return [
            rule(
                "percent",
                rf"{MINUS}{START}(?:(?P<first>{NUMBER})\s?%?(?P<dash>{DASH}))?(?P<number>{NUMBER}|"
                r"\d+,\d+)\s?(?P<sign>%|‰)",
                self.percent,
                "%‰",
            ),
            rule(
                "rating",
                r"(?<![\w.,])(\d+\.\d+)\s?/\s?(5|10|20|100)(?![\w/]|[.,]\d)",
                lambda m: [
                    one
                    for word in ("out of", "over", "slash")
                    for one in combined(f"{{}} {word} {{}}", self.number(m[1]), self.number(m[2]))
                ],
                "/",
            ),
            rule("ratio", r"(?<![\w.,:])(\d+):(\d+)(?::(\d+))?(?![\w:]|\.\d)", self.ratio, ":"),
            rule(
                "magnitude",
                rf"{MINUS}{START}(?P<number>{NUMBER})(?P<magnitude>bn|mn|tn|trn|k|K|M|(?<=\d\.\d)B|(?<=\d\.\d\d)"
                r"B)\+?(?![\w/])",
                self.magnitude,
            ),
            rule(
                "multiple",
                rf"{START}({NUMBER})x(?!\w)",
                lambda m: [*combined("{} times", self.number(m[1])), *combined("{} x", self.number(m[1]))],
                "x",
            ),
            rule(
                "subtraction",
                rf"{START}({NUMBER})\s?[-–−]\s?({NUMBER})(?=\s?=)",
                lambda m: combined("{} minus {}", self.number(m[1]), self.number(m[2])),
                "=",
            ),
            rule(
                "subtraction",
                rf"{START}({NUMBER}) ?− ?({NUMBER})(?![\w])",
                lambda m: combined("{} minus {}", self.number(m[1]), self.number(m[2])),
                "−",
            ),
            rule(
                "range",
                f"{MINUS}{START}(?P<first>{NUMBER})(?P<dash>-|–|—| [-–—] |~)(?P<number>{NUMBER})"
                r"(?![\w-]|[.,]\d)",
                self.range,
                "-–—~",
            ),
        ]

    def percent(self, match: re.Match[str]) -> Readings:
        counts = self.number(
            match["number"].replace(",", ".")
            if re.fullmatch(r"\d+,\d{1,2}", match["number"])
            else match["number"]
        )
        name = "percent" if match["sign"] == "%" else "per thousand"
        found = combined("{} to {}", self.number(match["first"]), counts) if match["first"] else counts
        names = [name] if name != "percent" else ["percent", "per cent"]
        return signed(match, [f"{count} {each}" for each in names for count in found])

    def ratio(self, match: re.Match[str]) -> Readings:
        parts = [self.number(part) for part in match.groups() if part]
        if re.search(
            rf"\b(?:{_SCRIPTURE})\.? $",
            match.string[: match.start()],
        ):
            return combined(" ".join(["{}"] * len(parts)), *parts)
        return [*combined(" to ".join(["{}"] * len(parts)), *parts)]

    def magnitude(self, match: re.Match[str]) -> Readings:
        letter = match["magnitude"]
        words = "thousand" if letter in ("k", "K") else MAGNITUDES[letter.lower()]
        plain = self.number(match["number"])
        found = combined(f"{{}} {words}", plain)
        if letter == "K":
            letters = combined("{} K", plain)
            small = match["number"].isdigit() and (
                int(match["number"]) in (2, 4, 5, 8, 10)
                or re.match(r"\s(?:run|race|TV|video|monitor|display|screen)", match.string[match.end() :])
            )
            found = (*letters, *found) if small else (*found, *letters)
        ending = " plus" if match.group().endswith("+") else ""
        return signed(match, (f"{one}{ending}" for one in found))

    def range(self, match: re.Match[str]) -> Readings:
        first, second = match["first"], match["number"]
        if (
            " " in match["dash"]
            and "." not in first + second
            and float(first.replace(",", "")) > float(second.replace(",", ""))
        ):
            return signed(match, combined("{} minus {}", self.number(first), self.number(second)))
        if first == second and len(first) == 2:
            return combined("{} {}", self.number(first), self.number(second))
        found = combined("{} to {}", self.number(first), self.number(second))
        return signed(match, (*found[:16], *combined("~{} {}", self.number(first), self.number(second))[:16]))
