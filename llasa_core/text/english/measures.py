"""English measures: lengths, temperatures, angles, dimensions and powers."""

import re
from collections.abc import Sequence

from llasa_core.text.english import numbers
from llasa_core.text.english.fractions import Fractions
from llasa_core.text.english.patterns import (
    DASH,
    LIMIT,
    MARK,
    MINUS,
    NUMBER,
    START,
    Numbers,
    combined,
    signed,
)
from llasa_core.text.english.units import ATTACHED, PERIODS, UNITS, describes, rate_words, unit_words
from llasa_core.text.rules import Readings, Rule, rule

_NAMED = re.compile(r"\b(?:Route|Rte\.?|Highway|Hwy\.?|Interstate|Exit|Room|Gate|Platform|Bus|Flight|Line) $")
"""Before a number that no unit follows: "Route 9 W\"."""
_COUNT = re.compile(
    r"\b(?:the|one|two|three|four|five|six|seven|eight|nine|ten|all|of|with|by|in) $", re.IGNORECASE
)
_QUOTES = {'"': "in", "″": "in", "'": "ft", "′": "ft"}


class Measures(Numbers):
    """The rules, for one side of the Atlantic."""

    def rules(self) -> list[Rule]:
        units = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
        rate = rf"(?P<rate>(?:/(?:{units}|°C|{'|'.join(PERIODS)})(?:\^[23])?(?![\w^])){{0,2}})"
        side = rf"{NUMBER}\s?(?:{units}|[\"″'′])"
        return [
            rule(
                "measure",
                r"(?<![\w.])(\d{1,3}(?:\.\d+)?)\s?°\s?(\d{1,2})\s?['′]\s?(?:(\d{1,2}(?:\.\d+)?)"
                r"\s?[\"″]\s?)?([NSEW]?)\b",
                self.angle,
                "°",
            ),
            rule(
                "measure",
                rf"{START}(\d+)\s?(?:'|′|ft\.?)\s?(\d{{1,2}}(?:\.\d+)?|\d{{1,2}}(?= ?1/2))(?: ?(1/2))?\s?"
                r"(?:\"|″|''|in\b(?!\s(?:his|her|my|your|our|their|its|the|an?)\b)\.?)",
                self.feet,
                "'′f",
            ),
            rule("measure", rf"{START}(\d{{1,2}})ft(\d{{1,2}})(?!\w)", self.feet, "f"),
            rule("measure", rf"{START}(\d{{1,2}})['′](\d{{1,2}})(?![\w'])", self.feet, "'′"),
            *Fractions(self.british).rules(),
            rule(
                "temperature",
                rf"{START}(\d{{2,4}})([CF])(?![\w°])",
                self.bare_degrees,
                "CF",
            ),
            rule(
                "temperature",
                rf"{START}({NUMBER})\sK(?![\w°]|\s(?:race|run)\b)",
                lambda m: [
                    f"{one} {name}" for name in ("kelvins", "kelvin", "K") for one in self.number(m[1])
                ],
                "K",
            ),
            rule(
                "age",
                rf"{START}(\d{{1,3}})\s?-?y/?o(?!\w)",
                lambda m: [f"{one} year{ending} old" for ending in ("", "s") for one in self.number(m[1])],
                "y",
            ),
            rule(
                "dimension",
                rf"{START}(?:{side}\s?[x×]\s?){{1,2}}{side}(?![\w/^])",
                self.sides,
                "x×",
            ),
            rule("measure", rf"{START}(\d+)\s?st\s?(\d+)\s?lbs?\b", self.stone, "s"),
            rule(
                "measure",
                rf"{START}(?<!/)({NUMBER})(′|'(?![\w'])|″|\"(?!\w)|''(?!\w))",
                self.marks,
                "'\"′″",
            ),
            rule(
                "temperature",
                rf"{MINUS}(?<![\w.,'^])(?:(?P<first>{NUMBER})(?P<dash>{DASH}))?(?P<number>{NUMBER})"
                rf"\s?°\s?(?:(?P<scale>[CFKNSEW]\b){rate})?",
                self.degrees,
                "°",
            ),
            rule(
                "dimension",
                rf"{START}({NUMBER})\s?[x×]\s?({NUMBER})\s?[x×]\s?({NUMBER})(?!\w)",
                self.product,
                "x×",
            ),
            rule(
                "power",
                rf"{MINUS}{START}(?:(?P<factor>{NUMBER})\s?[x×*]\s?)?(?P<base>{NUMBER})(?:\^|\*\*)"
                r"(?P<exponent>[-−+]?\d+)",
                self.power,
                "^*",
            ),
            rule(
                "power",
                rf"{MINUS}{START}(?P<factor>{NUMBER})[eE](?P<exponent>[-+−]?\d{{1,3}})(?![\w.])",
                self.power,
                "eE",
            ),
            rule(
                "measure",
                rf"{MINUS}{START}(?<![A-Za-z]-)(?:(?P<first>{NUMBER})(?P<dash>{DASH}|\s?[x×]\s?))?(?P<number>{NUMBER}|"
                r"\d+,\d(?!\d))"
                rf"(?P<gap>\s?|-)(?P<unit>{units})(?P<exponent>\^[23])?{rate}(?:(?P<dot>\.(?=\s+[a-z\d]|[,;]))|"
                r"(?![\w^'°]|/(?!\d)|\.[A-Za-z]\b))",
                self.measure,
            ),
            rule("dimension", rf"{START}({NUMBER})\s?([x×])\s?({NUMBER})(?!\w)", self.product, "x×"),
        ]

    def feet(self, match: re.Match[str]) -> Readings:
        feet, inches = self.number(match[1])[0], self.number(match[2])[0]
        if float(match[2]) > 12:
            return f"{feet} minute{'s' * (match[1] != '1')} {inches} seconds"
        half = " and a half" if match.re.groups > 2 and match[3] else ""
        long = f"{'foot' if match[1] == '1' else 'feet'} {inches}{half}"
        unit = "inch" if match[2] == "1" and not half else "inches"
        foot = f"foot {inches}{half}"
        return [
            f"{feet} {one}" for one in (f"{long} {unit}", f"{foot} {unit}", long, foot, f"{inches}{half}")
        ]

    def marks(self, match: re.Match[str]) -> Readings:
        """5′ and 12″ alone; a double quote that closes one is none."""
        quote = match[2][0]
        if quote in "'\"" and _is_open(quote, match.string[: match.start()]):
            return None
        single, many = ("foot", "feet") if match[2] in "'′" else ("inch", "inches")
        # "a 12″ pipe"
        before, after = match.string[: match.start()], match.string[match.end() :]
        one = match[1] == "1" or (
            re.search(r"\b(?:an?|the|his|her|my|this|our)\s$", before) and re.match(r"\s[a-z]", after)
        )
        names = (single, many) if one else (many, single)
        return [f"{count} {name}" for name in names for count in self.number(match[1])]

    def angle(self, match: re.Match[str]) -> Readings:
        compass = {"N": " north", "S": " south", "E": " east", "W": " west", "": ""}[match[4]]
        seconds = f" {self.number(match[3])[0]} seconds" if match[3] else ""
        return f"{self.number(match[1])[0]} degrees {self.number(match[2])[0]} minutes{seconds}{compass}"

    def degrees(self, match: re.Match[str]) -> Readings:
        name = "degree" if match["number"] == "1" and not match["first"] else "degrees"
        words = {
            "C": "Celsius",
            "F": "Fahrenheit",
            "K": "Kelvin",
            "N": "north",
            "S": "south",
            "E": "east",
            "W": "west",
        }
        scale = f" {words[match['scale']]}" if match["scale"] else ""
        counts = self.number(match["number"])
        found = combined("{} to {}", self.number(match["first"]), counts) if match["first"] else counts
        before, after = match.string[: match.start()], match.string[match.end() :]
        describes = re.search(r"\ban?\s$", before, re.IGNORECASE) and re.match(r"\s[a-z]", after)
        kinds = ("degree", name) if describes else (name, "degree")
        readings = [
            one for kind in dict.fromkeys(kinds) for one in combined(f"{{}} {kind}{scale}", found[:12])
        ]
        if match["scale"] == "C":
            readings = [*readings, *combined(f"{{}} {name} centigrade", found)]
        if match["rate"]:
            readings = [*combined("{}{}", readings, rate_words(match["rate"], self.british))]
        return signed(match, readings)

    def bare_degrees(self, match: re.Match[str]) -> Readings:
        """`350F` in a recipe, but seat `12C`."""
        name = {"C": "Celsius", "F": "Fahrenheit"}[match[2]]
        warm = len(match[1]) == 3 or re.search(
            r"\b(?:at|to|of|around|reached|hit|was|is|oven)\s$", match.string[: match.start()]
        )
        degrees = combined(f"{{}} degrees {name}", self.number(match[1]))
        letters = combined(f"{{}} {match[2]}", self.number(match[1]))
        return [*degrees, *letters] if warm else [*letters, *degrees]

    def power(self, match: re.Match[str]) -> Readings:
        exponent = match["exponent"].lstrip("+")
        base = match.groupdict().get("base") or "10"
        value = self.number(exponent.lstrip("-−"))[0]
        small = int(exponent.lstrip("-−")) if len(exponent) < 5 else 0
        to = f"minus {value}" if exponent[0] in "-−" else value
        word = {"2": "squared", "3": "cubed"}.get(exponent)
        nth = numbers.to_ordinal(to)
        endings = [
            *([word] if word and base != "10" else []),
            f"to the power of {to}",
            f"to the {nth}",
            f"to the {nth} power",
            f"to the {to}",
        ]
        endings += [word] if word and base == "10" else []
        if small > 10**4:
            endings = endings[:1]
        found = combined("{} {}", self.number(base), endings)
        return signed(
            match, combined("{} times {}", self.number(match["factor"]), found) if match["factor"] else found
        )

    def measure(self, match: re.Match[str]) -> Readings:
        unit, gap = match["unit"], match["gap"]
        before, after = match.string[: match.start()], match.string[match.end() :]
        if gap and unit in ATTACHED and not (unit == "in" and _is_inch(match)):
            return None
        if (gap == "-" and len(unit) == 1) or (len(unit) == 1 and _NAMED.search(before)):
            return None
        if gap and len(unit) == 1 and re.match(r"\.?\s[A-Z\d\U000f0000-\U000ffffd]", after):
            return None  # "100 W. Main Street"
        number = (
            match["number"].replace(",", ".") if re.fullmatch(r"\d+,\d", match["number"]) else match["number"]
        )
        if unit == "s" and number.isdigit() and int(number) >= 100:
            return None  # "the 747s"
        if (
            unit == "s"
            and len(number) == 1
            and not gap
            and (_COUNT.search(before) or _is_several(before, after))
        ):
            return None  # "three 9s", "8s and 3s"
        if unit == "s" and not gap and re.search(r"[a-z][A-Z]\w* $", before):
            return combined("{} S", self.number(number))  # "iPhone 6s"
        if (unit == "Mt" and re.match(r"\.\s[A-Z]", after)) or (
            unit == "W" and re.search(r"[NS],?\s$", before)
        ):
            return None  # "85 Mt. Vernon Street", "45 N, 70 W"
        if unit == "m" and re.match(r"\s(?:people|users|copies|views|years|followers)\b", after):
            return combined("{} million", self.number(number))
        exponent = {"^2": "square ", "^3": "cubic "}.get(match["exponent"] or "", "")
        one = number == "1" and not match["first"]
        counts: Sequence[str] = self.number(number)
        if match["first"]:
            by = "by" if "x" in match["dash"] or "×" in match["dash"] else "to"
            counts = combined(f"{{}} {by} {{}}", self.number(match["first"]), counts)
        names = unit_words(unit, one or gap == "-" or describes(before, after), self.british)
        if unit == "pt" and re.match(
            r"\s(?:font|type|text|bold|lead|leading|Times|Arial|Helvetica)\b", after
        ):
            names = ("point",)
        if match["rate"]:
            rates = rate_words(match["rate"], self.british)
            names = tuple(f"{name}{each}" for each in (*rates, *map(_informal, rates)) for name in names)
        return signed(match, [f"{count} {exponent}{name}" for name in names for count in counts][:LIMIT])

    def product(self, match: re.Match[str]) -> Readings:
        written = [part for part in match.groups() if part not in ("x", "×")]
        picture = all(part.isdigit() and len(part) > 2 for part in written)
        by = picture or "x" in match.group() or len(written) > 2
        words = ("by", "times") if by else ("times", "by", "multiplied by")
        parts = [self.number(part)[:4] for part in written]
        return [one for word in words for one in combined(f" {word} ".join(["{}"] * len(parts)), *parts)]

    def sides(self, match: re.Match[str]) -> Readings:
        """`3m x 4m`, `3" x 5"`."""
        found = re.findall(rf"({NUMBER})\s?([^\s\dx×]+)", match.group())
        units = [
            unit_words(_QUOTES.get(unit, unit), number == "1", self.british)[:2] for number, unit in found
        ]
        return [
            " by ".join(
                f"{self.best(number)} {names[index % len(names)]}"
                for (number, _), names in zip(found, units, strict=True)
            )
            for index in (0, 1)
        ]

    def stone(self, match: re.Match[str]) -> Readings:
        return f"{self.best(match[1])} stone {self.best(match[2])} {'pound' if match[2] == '1' else 'pounds'}"


def _is_inch(match: re.Match[str]) -> bool:
    """`6 in.` and `6-in pan`, but "6 in all" and "3-in-1"."""
    after = match.string[match.end() :]
    return bool(match["dot"]) or after.startswith(".") or (match["gap"] == "-" and not after.startswith("-"))


def _is_open(quote: str, before: str) -> bool:
    """Whether the last of these quotes opens: one that follows a word or a comma closes."""
    found = re.findall(rf"((?<![\w.,;:!?)\]%{MARK}]){quote})|{quote}(?!\w)", before)
    return bool(found and found[-1])


def _is_several(before: str, after: str) -> bool:
    """`8s and 3s`, `rolled 6s`, `Model 3s`."""
    beside = re.match(r" (?:and|or) \d'?s\b", after) or re.search(r"\d'?s (?:and|or) $", before)
    return bool(beside or re.search(r"\b(?:roll(?:s|ed|ing)?|threw|Model|No\.) $", before))


def _informal(rate: str) -> str:
    """` per hour` -> ` an hour`."""
    return rate.replace(" per ", " an " if rate.endswith("hour") else " a ")
