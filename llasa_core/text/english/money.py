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
    r"\s?(?P<magnitude>thousand|million|billion|trillion|hundred|bn|mn|mln|tn|trn|"
    r"[kKMB](?![\w/])|m(?![\w/²³^])|T(?![\w/]))"
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
_NATIONS = pairs(
    """
    US|U_S A|Australian AU|Australian C|Canadian CA|Canadian HK|Hong_Kong NZ|New_Zealand NT|New_Taiwan
    S|Singapore
    """
)
_SIGN = "[" + "".join(_SIGNS) + "]"


class Money(Numbers):
    """The rules, for one side of the Atlantic."""

    def rules(self) -> list[Rule]:
        number = rf"(?P<number>{DECIMAL_COMMA}|{POINTED}|{NUMBER})"
        code = "|".join(_CODES)
        return [
            rule(
                "money",
                rf"{MINUS}(?<![A-Za-z\d])(?P<nation>US|AU?|CA?|HK|NZ|NT|S)?(?P<sign>{_SIGN})\s?"
                f"(?P<minus2>[-−])?{number}"
                rf"(?:{DASH}(?P<sign2>{_SIGN})?(?P<number2>{NUMBER}))?(?:{_MAGNITUDE}\b)?"
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
        after = _per(found.get("per") or "")
        tail = (found.get("piece") or "").replace("-", " ")
        readings: Sequence[str]
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
            readings = [f"minus {one}" for one in readings if not one.startswith("~")]
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
            *(f"~{count} {oh}" for count in counts),
            *combined(f"{{}} {many}", numbers.readings(text, self.british)),
        ]


_PERIODS = {"mo": "month", "yr": "year", "hr": "hour", "h": "hour", "wk": "week", "pp": "person"}


def _per(written: str) -> str:
    """`/mo` -> ` per month`, `/lb` -> ` per pound`."""
    unit = written.lstrip("/")
    name = _PERIODS.get(unit) or (unit_words(unit, True, False)[0] if unit in UNITS else unit)
    return f" per {name}" if unit else ""
