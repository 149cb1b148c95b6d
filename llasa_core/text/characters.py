"""Clean characters: what is no letter, digit or punctuation is brought to plain signs or dropped.

Unicode's compatibility forms (NFKC) decide what a full-width letter, a ligature or a circled digit
stands for.
"""

import re
import unicodedata
from functools import lru_cache

SPOKEN_SYMBOLS = frozenset("°$£€¥₹₩₽₿₺₴₫¢+=<>%&@#^~|*/\\×÷±≈≠≤≥∞√−§¶→‰©′″♭♯_{}[]`")
"""Signs that the rules of a language speak, or drop where they mean nothing."""
WIDE_PUNCTUATION = frozenset("，。！？：；（）、「」『』《》〈〉【】〔〕～“”‘’…—·〇")
"""What Chinese is punctuated with: kept there, half-width elsewhere."""

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))
_EXACT = {
    **dict.fromkeys("™®℠℗", ""),
    **dict.fromkeys("‘’‚‛ʼʹ´ˈ＇", "'"),
    **dict.fromkeys("“”„‟«»〝〞＂❝❞", '"'),
    **dict.fromkeys("‹›", "'"),
    **dict.fromkeys("‐‑﹣－", "-"),
    **dict.fromkeys("‒–﹘", "–"),
    **dict.fromkeys("—―⸺⸻", "—"),
    **dict.fromkeys("•·‣◦▪▫●○■□◆◇★☆✓✔✗✘►▶▸➢➤➔⁃", " "),
    **dict.fromkeys("⁄∕", "/"),
    **dict.fromkeys("⋅∙", "×"),
    "➡": "→",
    "″": "″",
    **dict(zip("㎡㎢㎠㎟㎥", "m^2 km^2 cm^2 mm^2 m^3".split(), strict=True)),
    "№": "No. ",
    "\u200b": "",
    "∼": "~",
    "❤": "",
    "¦": "|",
    "º": "°",
    "˚": "°",
    "∶": ":",
    "µ": "μ",
}
_APOSTROPHE = re.compile(r"(?<=[A-Za-z])[’＇](?=[A-Za-z])")
_CIRCLE = re.compile("(?<=[一二三四五六七八九〇○])○(?=[一二三四五六七八九〇○年])")
"""The zero of `二○二四年`."""
_PLAIN_PUNCTUATION = SPOKEN_SYMBOLS | frozenset("–—…")


def clean(text: str, chinese: bool = False) -> tuple[str, tuple[str, ...]]:
    """The text in plain characters with single spaces, and the visible characters that were dropped.

    Superscripts become `^2`, vulgar fractions ` 1/2`, digits of any script 0 to 9. Control and format
    characters, emoji, bullets, (tm) and unknown symbols go. Chinese keeps its wide punctuation.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split()), ()
    text = _CIRCLE.sub("〇", text)
    dropped: dict[str, None] = {}
    parts: list[str] = []
    raised = False
    for character in _APOSTROPHE.sub("'", unicodedata.normalize("NFC", text)):
        if character in _SUPERSCRIPTS:
            parts.append(_SUPERSCRIPTS[character] if raised else f"^{_SUPERSCRIPTS[character]}")
            raised = True
            continue
        raised = False
        plain = _plain(character, chinese)
        if not plain.strip() and not character.isspace() and character.isprintable():
            dropped[character] = None
        parts.append(plain)
    cleaned = unicodedata.normalize("NFC", "".join(parts))
    return " ".join(cleaned.split()), tuple(dropped)


@lru_cache(maxsize=8192)
def _plain(character: str, chinese: bool) -> str:
    if chinese and character in WIDE_PUNCTUATION:
        return character
    if character in _EXACT:
        return _EXACT[character]
    category = unicodedata.category(character)
    if character.isspace() or category in ("Zl", "Zp"):
        return " "
    if category[0] == "C" or category in ("Me",) or "\ufe00" <= character <= "\ufe0f":
        return ""
    if category in ("No", "Nl", "Nd") and character not in "〇":
        return _number(character)
    plain = unicodedata.normalize("NFKC", character)
    if plain != character:
        return "".join(_plain(one, chinese) for one in plain)
    if category[0] == "S" and character not in SPOKEN_SYMBOLS and not character.isascii():
        return ""
    if category[0] == "P" and not character.isascii() and character not in _PLAIN_PUNCTUATION and not chinese:
        return " "
    return character


def _number(character: str) -> str:
    name = unicodedata.name(character, "")
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return f" {digit} " if "CIRCLED" in name else str(digit)
    plain = unicodedata.normalize("NFKC", character)
    if name.startswith("VULGAR FRACTION"):
        return f" {plain.replace(chr(0x2044), '/')} "
    if "ROMAN NUMERAL" in name and len(plain) <= 4 and plain != character:
        return character  # what it means depends on the word before
    value = unicodedata.numeric(character, -1.0)
    if plain != character:
        return f" {plain} " if all(one.isdigit() or one in "()." for one in plain) else plain
    return f" {int(value)} " if value >= 0 and value == int(value) and not character.isalpha() else ""
