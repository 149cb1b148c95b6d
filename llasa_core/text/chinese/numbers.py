"""Chinese number words."""

_DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_SCALES = ("", "万", "亿", "万亿")
MAX_DIGITS = 16
"""Longer numbers are read digit by digit."""


def digits(text: str, one: str = "一") -> str:
    """The digits of the text one by one; in phone numbers one is 幺."""
    return "".join(one if c == "1" else _DIGITS[int(c)] for c in text if c.isdigit())


def cardinal(number: int) -> str:
    """`10005` -> 一万零五, `2000` -> 两千, `12` -> 十二, `200` -> 二百. Below 10^16."""
    if number == 0:
        return "零"
    groups, rest = [], number
    while rest:
        groups.append(rest % 10_000)
        rest //= 10_000
    words = ""
    for index in range(len(groups) - 1, -1, -1):
        group = groups[index]
        if not group:
            continue
        if words and (group < 1000 or groups[index + 1] == 0):
            words += "零"
        words += ("两" if group == 2 and index else _group(group)) + _SCALES[index]
    return words[1:] if words.startswith("一十") else words


def _group(number: int) -> str:
    words, gap = "", False
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if not digit:
            gap = bool(words)
            continue
        words += (
            ("零" if gap else "") + ("两" if digit == 2 and place == 3 else _DIGITS[digit]) + _PLACES[place]
        )
        gap = False
    return words


def number(text: str) -> str:
    """The best reading of a whole or decimal number with or without thousands commas."""
    before, _, after = text.replace(",", "").partition(".")
    if not before:
        words = "零"
    elif len(before) > MAX_DIGITS or (len(before) > 1 and before.startswith("0")):
        words = digits(before)
    else:
        words = cardinal(int(before))
    return f"{words}点{digits(after)}" if after else words


def readings(text: str) -> tuple[str, ...]:
    """All usual readings, the best first."""
    found = [number(text)]
    if "." not in text and len(text) > 1:
        found += [digits(text), digits(text, "幺")]
    if found[0].startswith("十"):
        found.append("一" + found[0])
    if "." in text and text.endswith("0"):
        found.append(number(text.rstrip("0").rstrip(".")))
    return tuple(dict.fromkeys(found))
