"""English money."""

import re
from collections.abc import Sequence

from llasa_core.text.english import numbers
from llasa_core.text.english.patterns import (
    DASH,
    DECIMAL_COMMA,
    MINUS,
    NUMBER,
    POINTED,
    START,
    Numbers,
    combined,
    plain_number,
    signed,
)
from llasa_core.text.english.units import MAGNITUDES, UNITS, unit_words
from llasa_core.text.rules import Readings, Rule, pairs, rule

_MAGNITUDE = (
    r"(?:\s|-(?=[a-z]{4}))?(?P<magnitude>thousand|million|billion|trillion|hundred|bn|mn|mln|tn|trn|"
    r"[kKMB](?!\w|/(?!(?:mo|month|yr|year|day|wk|week|hr|hour|h|person|unit)\b))|m(?![\w/²³^])|T(?![\w/]))"
)
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
    "R$": ("real", "reais", "centavos"),
    "zł": ("zloty", "zlotys", "groszy"),
    "kr": ("krone", "kroner", ""),
    "Rs": ("rupee", "rupees", "paise"),
    "CHF": ("Swiss franc", "Swiss francs", ""),
    "CNY": ("yuan", "yuan", ""),
    "MXN": ("Mexican peso", "Mexican pesos", ""),
    "SEK": ("Swedish krona", "Swedish kronor", ""),
    "NOK": ("Norwegian krone", "Norwegian kroner", ""),
    "DKK": ("Danish krone", "Danish kroner", ""),
    "ZAR": ("rand", "rand", ""),
    "AED": ("dirham", "dirhams", ""),
    "ETH": ("ether", "ether", ""),
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
    "BRL": "R$",
    "PLN": "zł",
    "TRY": "₺",
    "UAH": "₴",
    "VND": "₫",
    **{code: code for code in "CHF MXN SEK NOK DKK ZAR AED ETH".split()},
    **{code: "$" for code in "AUD CAD NZD SGD HKD".split()},
}
_NATIONS = pairs(
    """
    US|U_S A|Australian AU|Australian C|Canadian CA|Canadian HK|Hong_Kong NZ|New_Zealand NT|New_Taiwan
    S|Singapore
    """
)
_CODED_NATIONS = {
    "USD": "U S",
    "AUD": "Australian",
    "CAD": "Canadian",
    "NZD": "New Zealand",
    "SGD": "Singapore",
    "HKD": "Hong Kong",
}
_SIGN = (
    "(?:" + "|".join(re.escape(sign) for sign in _SIGNS if len(sign) == 1) + r"|(?<![A-Z])R\$|Rs\.?(?=\s?\d))"
)
_NOT_COUNTED = frozenset(
    "to and or in of for at by on from the a an is was are were per each more less off with when if that as "
    "but plus minus than into over under between through until because who which he she it we they".split()
)
"""Words behind money that it does not describe: "a $5 fine", but "a $5 to"."""


class Money(Numbers):
    """The rules, for one side of the Atlantic."""

    def rules(self) -> list[Rule]:
        number = rf"(?P<number>{DECIMAL_COMMA}|{POINTED}|{NUMBER})"
        code = "|".join(_CODES)
        return [
            rule(
                "money",
                r"(?P<p>£\d+)\s(?P<s>1?\d)s\.?(?:\s(?P<d>1?\d)d)?(?!\w)",
                self.shillings,
                "£",
            ),
            rule(
                "money",
                rf"{MINUS}(?<![A-Za-z\d])(?P<nation>US|AU?|CA?|HK|NZ|NT|S)?(?P<sign>{_SIGN})\s?"
                f"(?P<minus2>[-−])?{number}"
                rf"(?:{DASH}(?P<sign2>{_SIGN})?(?P<number2>{NUMBER}))?(?:{_MAGNITUDE}\b)?"
                r"(?P<per>/[a-z]+)?(?P<piece>[ -](?:bill|note|coin|a)\b)?",
                self.money,
                "$£€¥₹₩₽₿₺₴₫R",
            ),
            rule(
                "money",
                rf"{MINUS}{START}{number}(?:{_MAGNITUDE})?\s?(?P<sign>{_SIGN}|(?:zł|kr)\b)",
                self.money,
                "$£€¥₹₩₽₿₺₴₫łk",
            ),
            rule(
                "money",
                rf"{START}(?P<minus>)(?P<sign>{code})\s?{number}(?:{_MAGNITUDE}\b)?",
                self.money,
                "DYRPFCBKHZNLTV",
            ),
            rule(
                "money",
                rf"{START}(?P<minus>){number}(?:{_MAGNITUDE})?\s?(?P<sign>{code})\b",
                self.money,
                "DYRPFCBKHZNLTV",
            ),
            rule(
                "money",
                rf"{START}({NUMBER})\s?¢",
                lambda m: combined("{} " + ("cent" if m[1] == "1" else "cents"), self.number(m[1])),
                "¢",
            ),
        ]

    def money(self, match: re.Match[str]) -> Readings:
        found = match.groupdict()
        sign = _CODES.get(found["sign"], found["sign"])
        nation = _NATIONS.get(found.get("nation") or "", "")
        sign = sign.rstrip(".")
        single, many, cents = _SIGNS[sign]
        nation = _CODED_NATIONS.get(found["sign"], nation)
        if nation:
            single, many = f"{nation} {single}", f"{nation} {many}"
        first = plain_number(found["number"])
        scale = MAGNITUDES.get((found.get("magnitude") or "").lower(), found.get("magnitude") or "")
        after = _per(found.get("per") or "")
        tail = (found.get("piece") or "").replace("-", " ")
        readings: Sequence[str]
        if second := found.get("number2"):
            readings = combined(
                f"{{}} to {{}}{' ' + scale if scale else ''} {many}", self.number(first), self.number(second)
            )
        elif scale:
            readings = combined(f"{{}} {scale} {many}", self.number(first))
            readings = [*readings, *(one.replace(many, single) for one in readings)]
        else:
            readings = self._sum(
                first, single, single if tail.endswith(("bill", "note", "coin")) else many, cents
            )
        if (_describes(match) and "." not in first) or (_describes(match) and scale):
            readings = [one.replace(many, single) for one in readings]
        if nation:
            readings = [*readings, *(one.replace(f"{nation} ", "") for one in readings)]
        if after:
            plain = after.replace(" per ", " an " if after[5:6] in "aeiou" or after == " per hour" else " a ")
            readings = [f"{one}{ending}" for ending in (after, plain) for one in readings]
        if found.get("minus2"):
            readings = [f"minus {one}" for one in readings if not one.startswith("~")]
        return signed(match, (f"{one}{tail}" for one in readings))

    def shillings(self, match: re.Match[str]) -> Readings:
        """`£2 10s 6d`, as before 1971."""
        pounds = match["p"].lstrip("£")
        found = f"{self.best(pounds)} {'pound' if pounds == '1' else 'pounds'} {self.best(match['s'])} "
        found += "shilling" if match["s"] == "1" else "shillings"
        return [
            found + (f" and {self.best(match['d'])} pence" if match["d"] else ""),
            found + (f" {self.best(match['d'])} pence" if match["d"] else ""),
        ]

    def _sum(self, text: str, single: str, many: str, cents: str) -> Sequence[str]:
        before, _, after = text.replace(",", "").partition(".")
        counts = self.number(text.partition(".")[0].lstrip("0") or "0") if before else ("zero",)
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
            *(f"~{count} {oh}" for count in counts),
            *combined(f"{{}} {many}", numbers.readings(text, self.british)),
        ]


def _describes(match: re.Match[str]) -> bool:
    """Whether the money is what a thing costs: "a $50 fine", "a $1.5-million grant"."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    follows = re.match(r"[\s-]([a-z]+)", after)
    if (
        not follows
        or follows[1] in _NOT_COUNTED
        or match.group().endswith("a")
        or re.search(r"\d-?$", before)
    ):
        return False
    hyphen = after[0] == "-" or bool(re.search(r"\d-[a-z]", match.group()))
    return hyphen or bool(re.search(r"\b(?:an?|another|each|every)\s$", before, re.IGNORECASE))


_PERIODS = {"mo": "month", "yr": "year", "hr": "hour", "h": "hour", "wk": "week", "pp": "person"}


def _per(written: str) -> str:
    """`/mo` -> ` per month`, `/lb` -> ` per pound`."""
    unit = written.lstrip("/")
    name = _PERIODS.get(unit) or (unit_words(unit, True, False)[0] if unit in UNITS else unit)
    return f" per {name}" if unit else ""
