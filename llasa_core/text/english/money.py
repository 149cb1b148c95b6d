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
from llasa_core.text.english.units import MAGNITUDES, NOT_COUNTED, UNITS, unit_words
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
_GOODS = re.compile(
    r"[ -](?:question|prize|reward|grant|contract|deal|loan|house|home|mansion|apartment|budget|project|"
    r"ticket|bonus|settlement|lawsuit|salary|cheque|check|gift|donation|fund|mortgage|bond|bounty|package|bet)\b"
)
"""Things that a price describes: "the $64,000 question"."""
_OWNER = re.compile(
    r"\b(?:the|his|her|its|my|our|your|their|this|that|\w+'s|an?\s(?:[\w-]+,?\s)?[\w-]+,?)\s$", re.IGNORECASE
)
_PRICED = re.compile(r"\b(?:for|at|of|costs?|paid|pay|worth|only)\s$")
"""Before `6d.`, which may be a part of a figure elsewhere."""


class Money(Numbers):
    """The rules, for one side of the Atlantic."""

    def rules(self) -> list[Rule]:
        number = rf"(?P<number>{DECIMAL_COMMA}|{POINTED}|{NUMBER})"
        code = "|".join(_CODES)
        stop = r"(?:\.(?!\s*$|[\s\"')]+[A-Z]))?(?!\w)"
        each = r"(?:an?|per|the)\s(?:day|week|month|quarter|year|head|piece|pair|dozen|pound|ton|yard|acre)\b"
        return [
            rule(
                "money",
                rf"(?P<p>£\d+)[.,]?\s(?P<s>1?\d)s(?:[.,]*\s(?P<d>1?\d)d)?{stop}",
                self.shillings,
                "£",
            ),
            rule(
                "money",
                rf"{START}(?P<p>)(?P<s>1?\d|2[1-9])s[.,]*\s(?P<d>\d|1[01])d{stop}",
                self.shillings,
                "s",
            ),
            rule("money", rf"{START}(?P<p>)(?P<s>[1-3]?\d)s(?P<d>)\.(?=\s{each})", self.shillings, "s"),
            rule("money", rf"{START}(?P<p>)(?P<s>)(?P<d>1|[4-9]|1[01])d(?=\.){stop}", self.shillings, "d"),
            rule(
                "money",
                rf"{START}({NUMBER})\s?l\.(?=\s(?:a\s(?:year|quarter|month)|per annum|sterling)\b)",
                lambda m: combined(f"{{}} {'pound' if m[1] == '1' else 'pounds'}", self.number(m[1])),
                "l",
            ),
            *(
                rule(
                    "money",
                    rf"{MINUS}(?<![A-Za-z\d])(?P<nation>US|AU?|CA?|HK|NZ|NT|S)?(?P<sign>{_SIGN})\s?"
                    f"(?P<minus2>[-−])?{number}"
                    rf"(?:{dash}(?P<sign2>{_SIGN})?(?P<number2>{NUMBER}))?(?:{_MAGNITUDE}\b)?"
                    r"(?P<per>/[a-z]+)?(?P<piece>[ -](?:(?:bill|note|coin)s?|a)\b)?",
                    self.money,
                    "$£€¥₹₩₽₿₺₴₫R",
                )
                for dash in (DASH, DASH.replace("—", ""))
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
            if "—" in match.group() and not (found["sign2"] or scale) and _value(second) < _value(first):
                return None  # "He paid $500—5 times its worth"
            readings = combined(
                f"{{}} to {{}}{' ' + scale if scale else ''} {many}", self.number(first), self.number(second)
            )
        elif scale:
            readings = combined(f"{{}} {scale} {many}", self.number(first))
            readings = [*readings, *(one.replace(many, single) for one in readings)]
        else:
            readings = self._sum(
                first, single, single if tail.rstrip("s").endswith(("bill", "note", "coin")) else many, cents
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
        """`£2 10s 6d`, `2s. 6d.` and `12s. a week`, as before 1971."""
        pounds, shillings, pence = (
            match["p"].lstrip("£"),
            match["s"].lstrip("0"),
            (match["d"] or "").lstrip("0"),
        )
        found = f"{self.best(pounds)} {'pound' if pounds == '1' else 'pounds'} " if pounds else ""
        if shillings:
            found += f"{self.best(shillings)} {'shilling' if shillings == '1' else 'shillings'}"
        before, after = match.string[: match.start()], match.string[match.end() :]
        if not pence:
            return found
        if not (found or _PRICED.search(before) or re.match(r"\s(?:an?|per|each)\b", after)):
            return None  # "Figure 6d."
        coin = "a penny" if pence == "1" else f"{self.best(pence)} pence"
        joined = coin.replace(" pence", "pence") if int(pence) < 12 else coin
        return [
            f"{found}{word}{one}" for word in ((" and ", " ") if found else ("",)) for one in (joined, coin)
        ]

    def _sum(self, text: str, single: str, many: str, cents: str) -> Sequence[str]:
        before, _, after = text.replace(",", "").partition(".")
        counts = self.number(text.partition(".")[0].lstrip("0") or "0") if before else ("zero",)
        name = single if before.lstrip("0") == "1" else many
        if not after or not int(after):
            return combined(f"{{}} {name}", counts)
        if len(after) != 2 or not cents:
            return [*combined(f"{{}} {many}", numbers.readings(text, self.british))]
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


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _describes(match: re.Match[str]) -> bool:
    """Whether the money is what a thing costs: "a $50 fine", "a $1.5-million grant"."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    follows = re.match(r"[\s-]([a-z]+)", after)
    if not follows or follows[1] in NOT_COUNTED or match.group().endswith("a") or re.search(r"\d-?$", before):
        return False
    hyphen = after[0] == "-" or bool(re.search(r"\d-[a-z]", match.group()))
    named = _GOODS.match(after) and _OWNER.search(before)
    return hyphen or bool(named or re.search(r"\b(?:an?|another|each|every)\s$", before, re.IGNORECASE))


_PERIODS = {"mo": "month", "yr": "year", "hr": "hour", "h": "hour", "wk": "week", "pp": "person"}


def _per(written: str) -> str:
    """`/mo` -> ` per month`, `/lb` -> ` per pound`."""
    unit = written.lstrip("/")
    name = _PERIODS.get(unit) or (unit_words(unit, True, False)[0] if unit in UNITS else unit)
    return f" per {name}" if unit else ""
