"""English money, measures, temperatures, powers, fractions, ratios and ranges."""

import re
from collections.abc import Iterable, Sequence
from itertools import islice, product

from llasa_core.text.english import numbers
from llasa_core.text.english.units import MAGNITUDES, UNITS, unit_words
from llasa_core.text.rules import Readings, Rule, rule

INTEGER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
NUMBER = rf"(?:{INTEGER}(?:\.\d+)?|\.\d+)"
START = r"(?<![\w.,'])"
"""Nothing of a number or word before: "B2" and "1.5" are not read from their middle."""
MINUS = r"(?:(?<![\w)\]%°$£€¥'\"])(?P<minus>[-−–])\s?(?=[\d.$£€¥]))?"
_DASH = r"\s?[-–—−~]\s?"
_MAGNITUDE = r"\s?(?P<magnitude>thousand|million|billion|trillion|hundred|bn|mn|mln|tn|trn|[kKMB](?![\w/])|m(?![\w/²³^])|T(?![\w/]))"
_SIGNS = {
    "$": ("dollar", "dollars", "cent"),
    "£": ("pound", "pounds", "pence"),
    "€": ("euro", "euros", "cent"),
    "¥": ("yen", "yen", ""),
    "₹": ("rupee", "rupees", "paise"),
    "₩": ("won", "won", ""),
    "₽": ("ruble", "rubles", "kopeks"),
    "₿": ("bitcoin", "bitcoins", ""),
    "₺": ("lira", "lira", ""),
    "₴": ("hryvnia", "hryvnias", ""),
    "₫": ("dong", "dong", ""),
}
_CODES = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "INR": "₹",
    "KRW": "₩",
    "RUB": "₽",
    "BTC": "₿",
    "CNY": "CNY",
    "RMB": "CNY",
    "CHF": "CHF",
}
_NATIONS = {"US": "U S", "A": "Australian", "AU": "Australian", "C": "Canadian", "CA": "Canadian", "HK": "Hong Kong",
            "NZ": "New Zealand", "NT": "New Taiwan", "S": "Singapore"}  # fmt: skip
_SIGN = "[" + "".join(_SIGNS) + "]"
_DECIMAL_COMMA = r"\d{1,3}(?:\.\d{3})*,\d{2}(?!\d)"
_POINTED = r"\d{1,3}(?:\.\d{3}){2,}(?![\d.])"
LIMIT = 32
"""Readings that are kept of one thing."""


def combined(pattern: str, *parts: Sequence[str]) -> tuple[str, ...]:
    """The pattern filled with each reading of each part, the best ones first, LIMIT at most."""
    return tuple(islice((pattern.format(*chosen) for chosen in product(*parts)), LIMIT))


def signed(match: re.Match[str], found: Iterable[str]) -> tuple[str, ...]:
    """The readings with "minus" before them where the match has a minus sign; "negative" is as right."""
    if not match["minus"]:
        return tuple(found)
    found = tuple(found)
    return tuple(f"{word} {reading}" for word in ("minus", "negative") for reading in found)


def plain_number(text: str) -> str:
    """A number in English digits: `1.200,50` and `1.000.000` have points for thousands."""
    if re.fullmatch(_DECIMAL_COMMA, text):
        return text.replace(".", "").replace(",", ".")
    if re.fullmatch(_POINTED, text):
        return text.replace(".", "")
    return text


class Amounts:
    """The rules, for one side of the Atlantic."""

    def __init__(self, british: bool) -> None:
        self.british = british

    def number(self, text: str) -> tuple[str, ...]:
        return numbers.readings(plain_number(text), self.british)

    def rules(self) -> list[Rule]:
        number = rf"(?P<number>{_DECIMAL_COMMA}|{_POINTED}|{NUMBER})"
        code = "|".join(_CODES)
        units = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
        return [
            rule(
                "money",
                rf"{MINUS}(?<![A-Za-z\d])(?P<nation>US|AU?|CA?|HK|NZ|NT|S)?(?P<sign>{_SIGN})\s?"
                f"(?P<minus2>[-−])?{number}"
                rf"(?:{_DASH}(?P<sign2>{_SIGN})?(?P<number2>{NUMBER}))?(?:{_MAGNITUDE}\b)?"
                r"(?P<per>/[a-z]+)?(?P<piece>[ -](?:bill|note|coin|a)\b)?",
                self.money,
                "$£€¥₹₩₽₿₺₴₫",
            ),
            rule(
                "money",
                rf"{MINUS}{START}{number}(?:{_MAGNITUDE})?\s?(?P<sign>{_SIGN})",
                self.money,
                "$£€¥₹₩₽₿₺₴₫",
            ),
            rule(
                "money",
                rf"{START}(?P<minus>)(?P<sign>{code})\s?{number}(?:{_MAGNITUDE}\b)?",
                self.money,
                "DYRPFCB",
            ),
            rule(
                "money",
                rf"{START}(?P<minus>){number}(?:{_MAGNITUDE})?\s?(?P<sign>{code})\b",
                self.money,
                "DYRPFCB",
            ),
            rule(
                "money",
                rf"{START}({NUMBER})\s?¢",
                lambda m: combined("{} " + ("cent" if m[1] == "1" else "cents"), self.number(m[1])),
                "¢",
            ),
            rule(
                "measure",
                rf"{START}(\d+)\s?(?:'|′|ft\.?)\s?(\d{{1,2}}(?:\.\d+)?|\d{{1,2}}(?= ?1/2))(?: ?(1/2))?\s?"
                r"(?:\"|″|''|in\b\.?)",
                self.feet,
                "'′f",
            ),
            rule("measure", rf"{START}(\d{{1,2}})['′](\d{{1,2}})(?![\w'])", self.feet, "'′"),
            rule(
                "measure",
                rf"{START}({NUMBER})(′|'(?=\s(?:tall|long|wide|high|deep|by|x|×)\b)|″|\"(?=[^\w]|$)|''"
                r"(?!\w))",
                self.marks,
                "'\"′″",
            ),
            rule(
                "measure",
                r"(?<![\w.])(\d{1,3}(?:\.\d+)?)\s?°\s?(\d{1,2})\s?['′]\s?(?:(\d{1,2}(?:\.\d+)?)"
                r"\s?[\"″]\s?)?([NSEW]?)\b",
                self.angle,
                "°",
            ),
            rule(
                "temperature",
                rf"{MINUS}(?<![\w.,'^])(?:(?P<first>{NUMBER})(?P<dash>{_DASH}))?(?P<number>{NUMBER})"
                r"\s?°\s?(?P<scale>[CFKNSEW]\b)?",
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
                "fraction",
                r"(?<![\w.,/])(?:(\d{1,3})\s?[- ]\s?)?(\d{1,3})/(\d{1,4})(?:ths?|rds?|nds?|sts?)?"
                r"(?![\w/]|[.,]\d)",
                self.fraction,
                "/",
            ),
            rule(
                "measure",
                rf"{MINUS}{START}(?:(?P<first>{NUMBER})(?P<dash>{_DASH}|\s?[x×]\s?))?(?P<number>{NUMBER}|"
                r"\d+,\d(?!\d))"
                rf"(?P<gap>\s?|-)(?P<unit>{units})(?P<exponent>[²³]|\^[23])?(?:(?P<dot>\.(?=\s+[a-z]))|"
                r"(?![\w^/'°]))",
                self.measure,
            ),
            rule("dimension", rf"{START}({NUMBER})\s?([x×])\s?({NUMBER})(?!\w)", self.product, "x×"),
            rule(
                "percent",
                rf"{MINUS}{START}(?:(?P<first>{NUMBER})\s?%?(?P<dash>{_DASH}))?(?P<number>{NUMBER}|"
                r"\d+,\d+)\s?(?P<sign>%|‰)",
                self.percent,
                "%‰",
            ),
            rule("ratio", r"(?<![\w.,:])(\d+):(\d+)(?::(\d+))?(?![\w:]|\.\d)", self.ratio, ":"),
            rule(
                "magnitude",
                rf"{MINUS}{START}(?P<number>{NUMBER})(?P<magnitude>bn|mn|k|K|M|(?<=\d\.\d)B|(?<=\d\.\d\d)"
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

    def money(self, match: re.Match[str]) -> Readings:
        found = match.groupdict()
        sign = _CODES.get(found["sign"], found["sign"])
        nation = _NATIONS.get(found.get("nation") or "", "")
        single, many, cents = _SIGNS.get(
            sign, ("yuan", "yuan", "") if sign == "CNY" else ("Swiss franc", "Swiss francs", "")
        )
        if found["sign"] in ("USD",):
            nation = "U S"
        if nation:
            single, many = f"{nation} {single}", f"{nation} {many}"
        first = plain_number(found["number"])
        scale = MAGNITUDES.get((found.get("magnitude") or "").lower(), found.get("magnitude") or "")
        per = {
            "/mo": " per month",
            "/yr": " per year",
            "/hr": " per hour",
            "/h": " per hour",
            "/wk": " per week",
        }
        after = per.get(found.get("per") or "", (found.get("per") or "").replace("/", " per "))
        tail = (found.get("piece") or "").replace("-", " ")
        if second := found.get("number2"):
            readings = combined(
                f"{{}} to {{}}{' ' + scale if scale else ''} {many}", self.number(first), self.number(second)
            )
        elif scale:
            readings = combined(f"{{}} {scale} {many}", self.number(first))
        else:
            readings = self._sum(
                first, single, single if tail.endswith(("bill", "note", "coin")) else many, cents
            )
        if nation:
            readings = [*readings, *(one.replace(f"{nation} ", "") for one in readings)]
        if after:
            plain = after.replace(" per ", " an " if after[5:6] in "aeiou" or after == " per hour" else " a ")
            readings = [f"{one}{ending}" for ending in (after, plain) for one in readings]
        if found.get("minus2"):
            readings = [f"minus {one}" for one in readings]
        return signed(match, (f"{one}{tail}" for one in readings))

    def _sum(self, text: str, single: str, many: str, cents: str) -> Sequence[str]:
        before, _, after = text.replace(",", "").partition(".")
        counts = self.number(before.lstrip("0") or "0") if before else ()
        name = single if before.lstrip("0") == "1" else many
        if not after or not int(after):
            return combined(f"{{}} {name}", counts)
        if len(after) != 2 or not cents:
            return [*combined(f"{{}} {name}", numbers.readings(text, self.british))]
        small = numbers.cardinal(int(after))
        coin = {
            "cent": "cent" if after == "01" else "cents",
            "pence": "penny" if after == "01" else "pence",
        }.get(cents, cents)
        if not before.strip("0"):
            return [
                f"{small} {coin}",
                *combined(f"{{}} {many}", numbers.readings(f"0.{after}", self.british)),
            ]
        oh = f"oh {small}" if after[0] == "0" else small
        return [
            f"{counts[0]} {name} and {small} {coin}" if after[0] == "0" else f"{counts[0]} {name} {small}",
            f"{counts[0]} {name} and {small} {coin}",
            f"{counts[0]} {name} {small} {coin}",
            f"{counts[0]} {name} {small}",
            f"{counts[0]} {name} and {small}",
            *(f"{count} {oh}" for count in counts),
            *combined(f"{{}} {many}", numbers.readings(text, self.british)),
        ]

    def feet(self, match: re.Match[str]) -> Readings:
        feet, inches = self.number(match[1])[0], self.number(match[2])[0]
        half = " and a half" if match.re.groups > 2 and match[3] else ""
        long = f"{'foot' if match[1] == '1' else 'feet'} {inches}{half}"
        unit = "inch" if match[2] == "1" and not half else "inches"
        return [f"{feet} {long} {unit}", f"{feet} foot {inches}{half} {unit}", f"{feet} {long}", f"{feet} foot {inches}{half}", f"{feet} {inches}{half}"]  # fmt: skip

    def marks(self, match: re.Match[str]) -> Readings:
        """5′ and 12″ alone; a double quote that closes one is none."""
        if match[2] == '"' and match.string[: match.start()].count('"') % 2:
            return None
        single, many = ("foot", "feet") if match[2] in "'′" else ("inch", "inches")
        return combined(f"{{}} {single if match[1] == '1' else many}", self.number(match[1]))

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
        readings = combined(f"{{}} {name}{scale}", found)
        if match["scale"] == "C":
            readings = (*readings, *combined(f"{{}} {name} centigrade", found))
        return signed(match, readings)

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

    def fraction(self, match: re.Match[str]) -> Readings:
        whole, top, bottom = match[1], int(match[2]), int(match[3])
        if bottom == 0 or (len(match[3]) > 3 and match[3] != "1000"):
            return combined("{} over {}", self.number(match[2]), self.number(match[3]))
        if whole:
            if top >= bottom:
                return None
            half = [
                f"and {one}"
                for one in (
                    numbers.fraction(top, bottom)[1 if top == 1 else 0],
                    *numbers.fraction(top, bottom),
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

    def measure(self, match: re.Match[str]) -> Readings:
        unit, gap = match["unit"], match["gap"]
        if (gap and unit in _ATTACHED) or (gap == "-" and len(unit) == 1):
            return None
        number = (
            match["number"].replace(",", ".") if re.fullmatch(r"\d+,\d", match["number"]) else match["number"]
        )
        exponent = {"²": "square ", "^2": "square ", "³": "cubic ", "^3": "cubic "}.get(
            match["exponent"] or "", ""
        )
        one = number == "1" and not match["first"]
        counts: Sequence[str] = self.number(number)
        if match["first"]:
            by = "by" if "x" in match["dash"] or "×" in match["dash"] else "to"
            counts = combined(f"{{}} {by} {{}}", self.number(match["first"]), counts)
        names = unit_words(unit, one or gap == "-", self.british)
        return signed(match, [f"{count} {exponent}{name}" for name in names for count in counts][:LIMIT])

    def product(self, match: re.Match[str]) -> Readings:
        parts = [self.number(part)[0] for part in match.groups() if part not in ("x", "×")]
        words = (
            ("by", "times") if "x" in match.group() or len(parts) > 2 else ("times", "by", "multiplied by")
        )
        return [f" {word} ".join(parts) for word in words]

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
            r"\b(?:John|Matthew|Mark|Luke|Genesis|Exodus|Psalms?|Romans|Isaiah|Proverbs|Corinthians|Acts|"
            "Hebrews|James|Peter|Revelation|Job|Ephesians|Philippians|Galatians|Jeremiah|Ezekiel|Daniel)"
            " $",
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
        found = combined("{} to {}", self.number(first), self.number(second))
        return signed(match, (*found[:16], *combined("{} {}", self.number(first), self.number(second))[:16]))


_ATTACHED = frozenset("A J N T B V W h s in".split())
"""Units of one letter that are read only where they touch the number: "5 A" may be a grade."""
