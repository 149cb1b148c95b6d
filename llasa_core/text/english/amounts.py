"""English percentages, ratios, ranges and magnitudes."""

import re

from llasa_core.text.english.patterns import DASH, INTEGER, MINUS, NUMBER, START, Numbers, combined, signed
from llasa_core.text.english.units import MAGNITUDES
from llasa_core.text.rules import Readings, Rule, rule

_ASPECTS = frozenset({("16", "9"), ("4", "3"), ("21", "9"), ("16", "10"), ("3", "2"), ("1", "1")})
"""Of pictures: said with "by" too."""
_CLAUSE = re.compile(r"\s(?:was|were|are|had|have|of|times)\b")


class Amounts(Numbers):
    """The rules, for one side of the Atlantic."""

    def rules(self) -> list[Rule]:
        return [
            rule(
                "percent",
                rf"{MINUS}{START}(?:(?P<first>{NUMBER})\s?%?(?P<dash>{DASH}))?(?P<number>{NUMBER}|"
                r"\d+,\d+)\s?(?P<sign>%|‰|pct\b\.?)",
                self.percent,
                "%‰p",
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
            rule(
                "ratio",
                rf"(?<![\w.,:])({INTEGER}):({INTEGER})(?::({INTEGER}))?(?![\w:]|\.\d)",
                self.ratio,
                ":",
            ),
            rule(
                "magnitude",
                rf"{MINUS}{START}(?P<number>{NUMBER})(?P<magnitude>bn|mn|tn|trn|k|K|M|(?<=\d\.\d)B|(?<=\d\.\d\d)"
                r"B)\+?(?![\w/])",
                self.magnitude,
            ),
            rule(
                "multiple",
                rf"{START}({NUMBER})x(?!\w)",
                self.multiple,
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
        name = "per thousand" if match["sign"] == "‰" else "percent"
        found = combined("{} to {}", self.number(match["first"]), counts) if match["first"] else counts
        names = ["percent", "per cent"] if name == "percent" else [name, "per mille"]
        readings = [f"{count} {each}" for each in names for count in found]
        if match["first"]:
            readings += combined(f"{{}} {name} to {{}} {name}", self.number(match["first"])[:4], counts[:4])
        return signed(match, readings)

    def multiple(self, match: re.Match[str]) -> Readings:
        """`4x faster`, but `y = 2x + 1`."""
        before, after = match.string[: match.start()], match.string[match.end() :]
        formula = re.search(r"[-=+−×*(]\s?$", before) or re.match(r"\s?[-=+−*^]\s?\S", after)
        words = ("{} x", "{} times") if formula else ("{} times", "{} x")
        return [one for each in words for one in combined(each, self.number(match[1]))]

    def ratio(self, match: re.Match[str]) -> Readings:
        written = [part for part in match.groups() if part]
        parts = [self.number(part) for part in written]
        words = ("to", "by") if tuple(written) in _ASPECTS else ("to",)
        return [one for word in words for one in combined(f" {word} ".join(["{}"] * len(parts)), *parts)]

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
        falls = float(first.replace(",", "")) > float(second.replace(",", ""))
        if match["dash"] == "—" and falls and _CLAUSE.match(match.string[match.end() :]):
            return None  # "Of the 12—7 were lost"
        if " " in match["dash"] and "." not in first + second and falls:
            return signed(match, combined("{} minus {}", self.number(first), self.number(second)))
        if first == second and len(first) == 2:
            return combined("{} {}", self.number(first), self.number(second))
        found = combined("{} to {}", self.number(first), self.number(second))
        return signed(match, (*found[:16], *combined("~{} {}", self.number(first), self.number(second))[:16]))
