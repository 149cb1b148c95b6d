"""English fractions: `3/4`, `2 1/2 in.`, and what is not said as one: `24/7`, `9/10` of a mark."""

import re
from collections.abc import Sequence

from llasa_core.text.english import numbers
from llasa_core.text.english.patterns import Numbers, combined
from llasa_core.text.english.units import ATTACHED, UNITS, unit_words
from llasa_core.text.rules import Readings, Rule, rule


class Fractions(Numbers):
    """The rules, for one side of the Atlantic."""

    def rules(self) -> list[Rule]:
        units = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
        return [
            rule(
                "fraction",
                r"(?<![\w.,/])(?:(\d{1,3})\s?[- ]\s?)?(\d{1,3})/(\d{1,4})(?:ths?|rds?|nds?|sts?)?"
                rf"(?:(?P<gap>[ -]?)(?P<unit>{units}|″|\"(?!\w))(?P<dot>\.(?=\s+[a-z\d]|[,;]))?(?![\w/^]))?"
                r"(?![\w/]|[.,]\d)",
                self.fraction,
                "/",
            ),
        ]

    def fraction(self, match: re.Match[str]) -> Readings:
        found = self._fraction(match)
        if found is None or not match["unit"]:
            return found
        if match["gap"] and match["unit"] in ATTACHED and not (match["unit"] == "in" and match["dot"]):
            return [f"{one}{match['gap']}{match['unit']}" for one in found]  # "2/3 in favour"
        symbol = "in" if match["unit"] in '″"' else match["unit"]
        names = unit_words(symbol, not match[1] and int(match[2]) <= int(match[3]), self.british)
        of = ("{} {}", "{} of an {}" if names[-1][0] in "aeiou" else "{} of a {}")
        ofs = combined(of[1], found[:6], names[:1]) if not match[1] else ()
        return [*combined("{} {}", found, names)[:20], *ofs]

    def _fraction(self, match: re.Match[str]) -> Sequence[str] | None:
        whole, top, bottom = match[1], int(match[2]), int(match[3])
        if re.match(r"\s?=", match.string[match.end() :]):
            return combined("{} divided by {}", self.number(match[2]), self.number(match[3]))
        if bottom == 0 or (len(match[3]) > 3 and match[3] != "1000"):
            return combined("{} over {}", self.number(match[2]), self.number(match[3]))
        if whole:
            if top >= bottom:
                return None
            half = [
                f"and {one}"
                for one in (
                    numbers.fraction(top, bottom)[1 if top == 1 else 0],
                    *(one for one in numbers.fraction(top, bottom) if not one.startswith("half")),
                )
            ]
            return combined("{} {}", self.number(whole), half)
        if (top, bottom) in (
            (9, 11),
            (24, 7),
            (7, 11),
            (50, 50),
            (20, 20),
            (60, 40),
            (80, 20),
            (70, 30),
            (30, 70),
            (90, 10),
        ):
            return [f"{self.number(match[2])[0]} {self.number(match[3])[0]}"]
        out_of = f"{self.number(match[2])[0]} out of {self.number(match[3])[0]}"
        over = list(combined("{} over {}", self.number(match[2]), self.number(match[3])))
        if top == bottom and bottom != 1:
            return [out_of, *over]
        if (top > bottom > 16) or bottom > 1000:
            return [*over, out_of]
        fraction = numbers.fraction(top, bottom, self.british)
        rated = re.search(
            r"(?:scored?|rat(?:ed|ing|e)|g[ai]ve (?:it|them|this)|got|grade[ds]?)(?: \w+){0,3} $",
            match.string[: match.start()],
        )
        return (
            [out_of, *fraction]
            if rated and bottom in (5, 10, 20, 100)
            else [*fraction, out_of, f"{self.number(match[2])[0]} slash {self.number(match[3])[0]}"]
        )
