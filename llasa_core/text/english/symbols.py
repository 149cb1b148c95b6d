"""English signs that are spoken, and marks that only separate or set off words."""

import re

from llasa_core.text.english.dates import MONTHS
from llasa_core.text.rules import Rule, pairs, rule

_MARKED = r"[\w\U000f0000-\U000ffffd]"
_GREEK = pairs(
    """
    α|alpha β|beta γ|gamma δ|delta ε|epsilon ζ|zeta η|eta θ|theta ι|iota κ|kappa λ|lambda μ|mu ν|nu ξ|xi
    ο|omicron π|pi ρ|rho σ|sigma ς|sigma τ|tau υ|upsilon φ|phi χ|chi ψ|psi ω|omega
    """
)
_ELISIONS = (
    "em|tis|twas|til|cause|bout|round|n|cos|fraid|nother|tween|neath|gainst|pon|ere|twere|twill|twould|kay|"
    "scuse|nuff|sup|bye|d|ll|s|re|ve|m|t"
)
_WORDS = pairs(
    """
    &|and +|plus =|equals %|percent @|at ×|times ÷|divided_by ±|plus_or_minus ≈|approximately
    ≠|does_not_equal ≤|less_than_or_equal_to ≥|greater_than_or_equal_to ∞|infinity √|square_root_of
    −|minus §|section °|degrees ‰|per_thousand $|dollars £|pounds €|euros ¥|yen ₹|rupees ₩|won ₽|rubles
    ₿|bitcoin ₺|lira ₴|hryvnias ₫|dong ¢|cents 
    """
)
_BEFORE = {
    "~": ("about", "approximately", "around"),
    "≈": ("about", "approximately"),
    "±": ("plus or minus", "plus minus"),
    "<": ("less than", "under"),
    ">": ("greater than", "more than", "over"),
    "≤": ("less than or equal to", "at most"),
    "≥": ("greater than or equal to", "at least"),
    "+": ("plus", "positive"),
}
"""Signs in front of a number, with other readings of them."""
_SIGNS_TOO = {
    "=": ("is equal to",),
    "≠": ("is not equal to", "not equal to"),
    "≤": ("is less than or equal to",),
    "≥": ("is greater than or equal to",),
    "×": ("by", "multiplied by"),
}
_COMPARED = {"<": "less than", ">": "greater than"}


def rules() -> list[Rule]:
    words = "".join(re.escape(sign) for sign in _WORDS)
    mark = "[\U000f0000-\U000ffffd]"
    named = rf"(?:[A-Z][a-z]+day|{'|'.join(MONTHS)}|noon|midnight)"
    return [
        rule("range", rf"(?<={mark}) ?[-–] ?(?={mark})", lambda m: "to", "-–"),
        rule("range", rf"\b({named})[-–](?={named}\b|{mark})", lambda m: f"{m[1]} to", "-–"),
        rule("sign", rf"(?<![\w)])[~≈±<>≤≥+]\s?(?={mark})", lambda m: _BEFORE[m.group().strip()], "~≈±<>≤≥+"),
        rule("sign", r"(?<=[\w\U000f0000-\U000ffffd])\+\+(?!\w)", lambda m: " plus plus", "+"),
        rule(
            "sign",
            r"(?<=\b[A-Ga-g])[♭♯]|(?<=\b[A-G])#(?!\w)",
            lambda m: " flat" if m.group() == "♭" else " sharp",
            "#♭♯",
        ),
        rule(
            "sign",
            rf"(?:§§|¶¶)\s?(?={mark})",
            lambda m: "sections" if m.group()[0] == "§" else "paragraphs",
            "§¶",
        ),
        rule("sign", rf"©\s?(?={mark})", lambda m: "copyright ", "©"),
        rule("character", "©", lambda m: "", "©"),
        rule("sign", r"(?<=\b[a-z])!(?=\s?[=+×*/])", lambda m: " factorial", "!"),
        rule("function", r"\b([fgh])\(([a-z])\)", lambda m: (f"{m[1]} of {m[2]}", f"{m[1]} {m[2]}"), "("),
        rule(
            "sign",
            r"√\s?(?=[\w(\U000f0000-\U000ffffd])",
            lambda m: ("square root of ", "the square root of ", "root "),
            "√",
        ),
        rule("sign", rf"¶\s?(?={mark})", lambda m: "paragraph", "¶"),
        rule(
            "sign",
            r"(?:(?<=\b[A-Za-z])|(?<=[\U000f0000-\U000ffffd]))\^\+?(?=[\w\U000f0000-\U000ffffd-])",
            lambda m: (" to the power of ", " to the "),
            "^",
        ),
        rule("sign", r"(?<!\S)#(?=[A-Za-z])", lambda m: "hashtag ", "#"),
        rule(
            "sign", rf"(?<=[\w)\U000f0000-\U000ffffd])[<>](?=\.?{mark})", lambda m: _COMPARED[m.group()], "<>"
        ),
        rule("sign", r"(?<=\s)[<>](?=\s?[\w\U000f0000-\U000ffffd.$-])", lambda m: _COMPARED[m.group()], "<>"),
        rule(
            "sign",
            r"(?<=[\w\U000f0000-\U000ffffd)] )[-–](?= [\U000f0000-\U000ffffd])(?=[^=]*=)",
            lambda m: "minus",
            "=",
        ),
        rule(
            "sign",
            r"(?<=[\U000f0000-\U000ffffd] )[*](?= [\U000f0000-\U000ffffd])|(?<=[\U000f0000-\U000ffffd])"
            r"[*](?=[\U000f0000-\U000ffffd])",
            lambda m: "times",
            "*",
        ),
        rule(
            "sign", r"(?<=[\U000f0000-\U000ffffd] )/(?= [\U000f0000-\U000ffffd])", lambda m: "divided by", "/"
        ),
        rule("sign", r"(?<=\S) ?→ ?(?=\S)", lambda m: "to", "→"),
        rule("sign", rf"[{words}]", lambda m: (_WORDS[m.group()], *_SIGNS_TOO.get(m.group(), ()))),
        rule("letter", rf"[{''.join(_GREEK)}{''.join(_GREEK).upper()}]", _greek),
    ]


def _greek(match: re.Match[str]) -> str | None:
    """A Greek letter that stands alone; words of Greek stay."""
    text, start, end = match.string, match.start(), match.end()
    near = text[max(start - 1, 0) : start] + text[end : end + 1]
    if any("\u0370" <= character <= "\u03ff" for character in near):
        return None
    return _GREEK.get(match.group().lower())


_TAGS = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_OPENING = re.compile(
    rf"(?<![\w'\U000f0000-\U000ffffd])'++(?!(?:{_ELISIONS})\b)(?=[\w\U000f0000-\U000ffffd])", re.IGNORECASE
)
_ORPHAN = re.compile(
    r"(?<![\w\U000f0000-\U000ffffd])'+(?![\w\U000f0000-\U000ffffd])|(?<=[^\w\s\U000f0000-\U000ffffd])'+|"
    r"(?<=[\U000f0000-\U000ffffd])'+(?!\w)"
)
_CLOSING = re.compile(r"(?<=\w)'+(?![\w\U000f0000-\U000ffffd])")
_ELLIPSIS = re.compile(r"\s*(?:\.\s?){3,}|\s*…+")
_DASHES = re.compile(r"\s*(?:--+|[—–]+|(?<=\s)-+(?=\s)|(?<=\s)-+$|^-+(?=\s))\s*")
_JOINED = re.compile(
    rf"(?<=\b[A-Z])–(?={_MARKED})|(?<={_MARKED})[-/\\_~|]+(?={_MARKED})|(?<={_MARKED})-(?=\s)|(?<=\s)-(?={_MARKED})"
)
_DROPPED = re.compile(r"[\"`*_~^→|\\/\[\]{}<>#′″♭♯¶]+")


def separate(text: str) -> str:
    """Quotes are dropped, dashes are pauses, slashes and hyphens between letters are spaces."""
    if "<" in text:
        text = _TAGS.sub(" ", text)
    if "'" in text:
        opened = len(_OPENING.findall(text))
        text = _ORPHAN.sub("", _OPENING.sub("", text))
        if opened:
            text = _CLOSING.sub(lambda m: _close(m, opened), text)
    text = _ELLIPSIS.sub(lambda m: "... ", text)
    text = _DASHES.sub(", ", text)
    text = _JOINED.sub(" ", text)
    text = _DROPPED.sub(" ", text)
    return text


def _close(match: re.Match[str], opened: int) -> str:
    """The quote behind a word, where one was opened; "the dogs' bowls" keeps its apostrophe."""
    return "" if opened else match.group()


_TIDY = (
    (re.compile(r"\s+([,.;:!?)])"), r"\1"),
    (re.compile(r"([(])\s+"), r"\1"),
    (re.compile(r"\(\s*[,.;:]*\s*\)"), " "),
    (re.compile(r"([!?;:(]|(?<!\.)\.),(?=\s|$)"), r"\1"),
    (re.compile(r",(?:\s*,)+"), ","),
    (re.compile(r",+(?=[.;:!?)])"), ""),
    (re.compile(r"^[\s,;:.!?)]+(?=\S)"), ""),
    (re.compile(r"[\s,]+$"), ""),
    (re.compile(r"\s+"), " "),
)


def tidy(text: str) -> str:
    """One space between words, no punctuation twice or where nothing stands before it."""
    before = None
    while before != text:
        before = text
        for pattern, put in _TIDY:
            text = pattern.sub(put, text)
    return text.strip()
