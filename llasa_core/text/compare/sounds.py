"""English words that sound alike: by a dictionary where it has both, else by what their letters are usually read as."""

import gzip
import re
from functools import lru_cache
from importlib.resources import files

_DATA = files("llasa_core.text") / "data"


def sound_alike(first: str, second: str) -> bool:
    """Whether two words in lower-case letters are pronounced the same."""
    first, second = (_without_ending(word) for word in (first, second))
    if first == second:
        return True
    groups = _groups()
    if first in groups and second in groups:
        return bool(groups[first] & groups[second])
    return len(first) > 1 and len(second) > 1 and sound_key(first) == sound_key(second)


@lru_cache(maxsize=1)
def common_words() -> frozenset[str]:
    """Frequent words, in lower case: what is not among them may be a name."""
    return frozenset((_DATA / "common_words.txt").read_text("utf-8").split())


@lru_cache(maxsize=1)
def _groups() -> dict[str, set[int]]:
    text = gzip.decompress((_DATA / "pronounced_alike.txt.gz").read_bytes()).decode()
    groups: dict[str, set[int]] = {}
    for index, line in enumerate(text.splitlines()):
        for word in line.split():
            groups.setdefault(word, set()).add(index)
    return groups


def _without_ending(word: str) -> str:
    """`katherine's` -> `katherine`, plural endings stay: they have to be heard."""
    return re.sub(r"[^a-z]", "", word)


_STEPS = tuple((re.compile(pattern), put) for pattern, put in (
    (r"^(?:kn|gn|pn)", "n"), (r"^ps", "s"), (r"^wr", "r"), (r"^x", "z"), (r"^ma?c(?=[^aeiouyhk])", "mak"), (r"^mack", "mak"), (r"rh", "r"), (r"kh", "k"), (r"^gh", "g"), (r"^wh", "w"),
    (r"sch", "S"), (r"tch", "C"), (r"chr", "kr"), (r"ch", "C"), (r"sh", "S"), (r"th", "T"), (r"ph", "f"), (r"ck|cq", "k"), (r"q(?:ue?$|u)?", "k"), (r"x", "ks"), (r"dge?", "j"),
    (r"igh", "Y"), (r"eigh", "A"), (r"(?<=[aeiou])gh", ""), (r"mb$", "m"), (r"mn$", "m"), (r"c(?=[eiy])", "s"), (r"c", "k"), (r"z", "s"), (r"v", "v"), (r"w(?=$|[^aeiouy])", "u"),
    (r"([a-zA-Z])\1", r"\1"),
    (r"a([bdfgjklmnprstvSCT])e$", r"A\1"), (r"i([bdfgjklmnprstvSCT])e$", r"Y\1"), (r"y([bdfgjklmnprstvSCT])e$", r"Y\1"), (r"o([bdfgjklmnprstvSCT])e$", r"O\1"), (r"u([bdfgjklmnprstvSCT])e$", r"U\1"), (r"e([bdfgjklmnprstvSCT])e$", r"I\1"),
    (r"(?<=[^aeiouAIOUY])(?:ie|ey|ee|ea|y|i|ye)$", "I"), (r"ai|ay|ei|ey", "A"), (r"ee|ea|ie", "I"), (r"oo|ou|ew|ue|eu", "U"), (r"oa|oe", "O"), (r"au|aw", "o"), (r"y", "i"),
    (r"(?<=[^aeiou])e$", ""), (r"(?<=[aeiouAIOUY])h(?=[^aeiouAIOUY]|$)", ""), (r"(?<=[a-zA-Z][^aeiou])[aeiou](?=n$)|(?<=[a-zA-Z][^aeiou])[aeiou](?=n[ds]?$)", "@"),
    (r"(?<=[^aeiou])(?:[aeio]l|le)$", "@l"), (r"(?<=[^aeiou])[aeiou]r", "@r"), (r"(?<=[^aeiou])[aeiou]n$", "@n"),
))  # fmt: skip


@lru_cache(maxsize=4096)
def sound_key(word: str) -> str:
    """A rough pronunciation from the letters: silent letters go, vowels stay apart by their usual sounds."""
    for pattern, put in _STEPS:
        word = pattern.sub(put, word)
    return word
