"""English number words: cardinals, ordinals, years, fractions, digits one by one."""

import re
from functools import lru_cache

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_INDIAN = ((10**7, "crore"), (10**5, "lakh"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MAX_DIGITS = 15
"""Longer numbers are read digit by digit."""


@lru_cache(maxsize=4096)
def cardinal(number: int, british: bool = False) -> str:
    """`one hundred five`; British: `one hundred and five`. The number is not negative and below 10^15."""
    if number < 20:
        return _SMALL[number]
    if number < 100:
        return _TENS[number // 10] + (f" {_SMALL[number % 10]}" if number % 10 else "")
    if number < 1000:
        rest = number % 100
        words = f"{_SMALL[number // 100]} hundred"
        return words + ((" and " if british else " ") + cardinal(rest) if rest else "")
    size, name = next(scale for scale in _SCALES if number >= scale[0])
    words, rest = f"{cardinal(number // size, british)} {name}", number % size
    if not rest:
        return words
    return words + (" and " if british and rest < 100 else " ") + cardinal(rest, british)


def _lakhs(number: int, british: bool) -> str:
    """`150000` -> `one lakh fifty thousand`."""
    for size, name in _INDIAN:
        if number >= size:
            head, rest = f"{cardinal(number // size, british)} {name}", number % size
            return f"{head} {_lakhs(rest, british)}" if rest else head
    return cardinal(number, british)


def ordinal(number: int, british: bool = False) -> str:
    return to_ordinal(cardinal(number, british))


def to_ordinal(words: str) -> str:
    """`twenty one` -> `twenty first`."""
    head, _, last = words.rpartition(" ")
    regular = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return f"{head} {_ORDINALS.get(last, regular)}".strip()


def digits(text: str, zero: str = "zero") -> str:
    """The digits of the text one by one."""
    return " ".join(
        zero if character == "0" else _SMALL[int(character)] for character in text if character.isdigit()
    )


def spelled(text: str) -> tuple[str, ...]:
    """A number read digit by digit: with "zero" first, then with "oh"."""
    return tuple(dict.fromkeys((digits(text), digits(text, "oh"))))


def whole(text: str, british: bool = False) -> str:
    """The best reading of digits, with or without thousands commas; leading zeros are spoken one by one."""
    text = text.replace(",", "")
    if len(text) > MAX_DIGITS or (len(text) > 1 and text.startswith("0")):
        return digits(text)
    return cardinal(int(text), british)


def decimal(text: str, british: bool = False) -> str:
    """`2.50` -> `two point five zero`, `.5` -> `point five`."""
    before, _, after = text.partition(".")
    words = whole(before, british) if before else ""
    return f"{words} point {digits(after)}".strip() if after else words


def readings(text: str, british: bool = False) -> tuple[str, ...]:
    """All usual readings of a whole or decimal number, the best first: 1500 is also fifteen hundred."""
    if "." in text:
        before, _, after = text.partition(".")
        found = [decimal(text, british)]
        if "0" in after:
            found.append(found[0].replace(digits(after), digits(after, "oh")))
        if not before:
            found.append(f"zero {found[0]}")
        if before == "0":
            found += [found[0].removeprefix("zero "), f"oh {found[0].removeprefix('zero ')}"]
        if len(after) > 1 and not after.startswith("0"):
            found.append(f"{whole(before or '0')} point {whole(after)}")
        if after == "5" and before:
            found.append(f"{whole(before)} and a half")
        return tuple(found)
    plain = text.replace(",", "")
    found = [whole(text, british)]
    value = int(plain) if len(plain) <= MAX_DIGITS else -1
    if value >= 0 and len(str(value)) != len(plain):
        found.append(cardinal(value, british))
    if re.match(r"\d{1,2}(?:,\d\d)+,\d{3}$", text):
        found.append(_lakhs(value, british))
    if value >= 10**6 and value % 10**5 == 0:
        size, name = next(scale for scale in _SCALES if value >= scale[0])
        if value % size:
            found.append(f"{decimal(f'{value / size:.1f}')} {name}")
    if value % 100 == 0 and 1100 <= value < 10_000 and value % 1000:
        found.append(f"{cardinal(value // 100)} hundred")
    elif 1100 <= value < 10_000 and value % 1000 >= 100 and "," not in text:
        found.append(f"{cardinal(value // 100)} hundred {cardinal(value % 100)}")
    if len(plain) == 4 and value >= 1000 and "," not in text:
        found += years(plain)
    if len(plain) == 3 and value >= 100:
        rest = plain[1:]
        found.append(f"{_SMALL[int(plain[0])]} {'oh ' if rest[0] == '0' else ''}{cardinal(int(rest))}")
    if value >= 100 and str(value)[0] == "1" and found[0].startswith("one "):
        found.append(found[0].replace("one ", "a ", 1))
    if len(plain) > 1 and "," not in text:
        found += spelled(plain)
    return tuple(dict.fromkeys(found))


def years(text: str, british: bool = False) -> tuple[str, ...]:
    """A year of four digits: `nineteen eighty four`, `two thousand five`; then other readings."""
    number = int(text)
    century, rest = divmod(number, 100)
    full = cardinal(number, british)
    if rest == 0:
        pair = full if century % 10 == 0 else f"{cardinal(century)} hundred"
    elif rest < 10:
        pair = f"{cardinal(century)} oh {cardinal(rest)}"
    else:
        pair = f"{cardinal(century)} {cardinal(rest)}"
    best = full if century == 20 and rest < 10 else pair
    hundreds = f"{cardinal(century)} hundred {cardinal(rest)}" if rest and century % 10 else pair
    return tuple(dict.fromkeys((best, pair, full, hundreds)))


def plural(words: str) -> str:
    """`ninety` -> `nineties`, `hundred` -> `hundreds`, `six` -> `sixes`."""
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith("x") else f"{words}s"


_DENOMINATORS = {2: ("half", "halves"), 4: ("quarter", "quarters")}


def fraction(top: int, bottom: int, british: bool = False) -> tuple[str, ...]:
    """`one half`, `three quarters`, `five eighths`; then the other readings."""
    count = cardinal(top, british)
    single, many = _DENOMINATORS.get(bottom, (ordinal(bottom), plural(ordinal(bottom))))
    best = f"{count} {single if top == 1 else many}"
    found = [best]
    if top == 1:
        found += [f"a {single}"] + (["half", "half a", "half an"] if bottom == 2 else [f"a {single} of a"])
    if bottom == 4:
        found.append(f"{count} {'fourth' if top == 1 else 'fourths'}")
    found.append(f"{count} over {cardinal(bottom, british)}")
    return tuple(found)
