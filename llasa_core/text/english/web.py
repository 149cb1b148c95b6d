"""English addresses of the web, files and handles."""

import re

from llasa_core.text.english import numbers
from llasa_core.text.rules import Readings, Rule, rule

_TOP = (
    "com|org|net|edu|gov|io|ai|co|uk|de|fr|eu|info|app|dev|tv|me|us|ca|au|jp|cn|ru|ch|nl|se|it|es|mil|int|biz|"
    "py|js|md|css|php|cpp|sh|log|(?i:html?|pdf|txt|zip|exe|jpe?g|png|gif|svg|mp3|mp4|wav|flac|mov|docx?|xlsx?|pptx?|"
    "csv|json|xml|ya?ml|dll|iso|apk|jar)"
)
_MARKS = {
    ".": "dot", "/": "slash", "-": "dash", "_": "underscore", ":": "colon", "?": "question mark",
    "=": "equals", "&": "and", "#": "hash", "%": "percent", "+": "plus", "~": "tilde", "@": "at",
}  # fmt: skip
_SPELLED = frozenset(
    "http https ftp www html htm pdf txt csv php xml css jpg png gif svg md io ai uk us eu tv js py cn jp "
    "mp3".split()
)


def rules() -> list[Rule]:
    """Addresses of the web, with digits or without."""
    return [
        rule(
            "url",
            rf"\b(?:[a-z]+://|www\.)[^\s<>\"'()]*[\w/]|(?<![\w.@-])(?:[\w-]+\.)+(?:{_TOP})\b"
            r"(?:/[^\s<>\"'()]*[\w/])?(?![\w@]|\.\w)",
            lambda m: _address(m.group()),
            ".:",
        ),
        rule("e-mail", r"(?<![\w.])[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}", lambda m: _address(m.group()), "@"),
        rule("url", rf"(?<![\w.])\.(?=(?:{_TOP}|NET)\b)", lambda m: "dot ", "."),
        rule(
            "url",
            r"\blocalhost:(\d+)",
            lambda m: [f"localhost colon {one}" for one in numbers.readings(m[1])],
            ":",
        ),
        rule("handle", r"(?<!\w)@(?=\w)", lambda m: "at", "@"),
    ]


def _address(text: str) -> Readings:
    words = []
    for part in re.findall(r"[A-Za-z]+\d*(?=\W|_|$)|[A-Za-z]+|\d+|[^\w\s]|_", text):
        if part in _MARKS:
            words.append(_MARKS[part])
        elif part.isdigit():
            words.append(numbers.whole(part) if len(part) < 4 else numbers.digits(part))
        elif part.lower() in _SPELLED and (part.lower() != "us" or words):
            words.append(" ".join(part.upper()) if part.isalpha() else "M P three")
        elif part[-1].isdigit():
            letters = part.rstrip("0123456789")
            words.append(f"{letters} {numbers.whole(part[len(letters) :])}")
        elif part.isalpha():
            words.append(part)
    full = " ".join(words)
    bare = re.sub(r"^(?:H T T P S?|F T P) colon slash slash ", "", full)
    return [full, bare, re.sub(r"^W W W dot ", "", bare), full.replace(" dash ", " hyphen ")]
