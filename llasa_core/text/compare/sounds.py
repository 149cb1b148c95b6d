"""English words that sound alike: by a dictionary where it has both, else by how letters are usually read."""

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
    if min(len(first), len(second)) < 2:
        return False
    if sound_key(first) == sound_key(second):
        return True
    # What is no word at all was spelled by ear: its weak vowels say nothing.
    return second not in groups and len(first) > 4 and weak_key(first) == weak_key(second)


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


_STEPS = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        step.split("→")
        for step in r"""
    ^(?:kn|gn|pn)→n ^ps→s ^wr→r ^x→z ^ma?c(?=[^aeiouyhk])→mak ^mack→mak rh→r kh→k ^gh→g ^wh→w sch→S tch→C
    chr→kr ch→C sh→S th→T ph→f ck|cq→k q(?:ue?$|u)?→k x→ks dge?→j igh→Y eigh→A (?<=[aeiou])gh→ mb$→m
    mn$→m c(?=[eiy])→s c→k z→s v→v w(?=$|[^aeiouy])→u ([a-zA-Z])\1→\1 a([bdfgjklmnprstvSCT])e$→A\1
    i([bdfgjklmnprstvSCT])e$→Y\1 y([bdfgjklmnprstvSCT])e$→Y\1 o([bdfgjklmnprstvSCT])e$→O\1
    u([bdfgjklmnprstvSCT])e$→U\1 e([bdfgjklmnprstvSCT])e$→I\1 (?<=[^aeiouAIOUY])(?:ie|ey|ee|ea|y|i|ye)$→I
    ai|ay|ei|ey→A ee|ea|ie→I oo|ou|ew|ue|eu→U oa|oe→O au|aw→o y→i (?<=[^aeiou])e$→
    (?<=[aeiouAIOUY])h(?=[^aeiouAIOUY]|$)→
    (?<=[a-zA-Z][^aeiou])[aeiou](?=n$)|(?<=[a-zA-Z][^aeiou])[aeiou](?=n[ds]?$)→@
    (?<=[^aeiou])(?:[aeio]l|le)$→@l (?<=[^aeiou])[aeiou]r→@r (?<=[^aeiou])[aeiou]n$→@n
    """.split()
    )
)
"""In this order: letters of one sound, silent letters, long vowels before a silent e, weak vowels."""


@lru_cache(maxsize=4096)
def sound_key(word: str) -> str:
    """A rough pronunciation from the letters: silent letters go, vowels stay apart by their usual sounds."""
    for pattern, put in _STEPS:
        word = pattern.sub(put, word)
    return word


_WEAK = re.compile(r"(?<=[^aeiouAIOUY@])[aeiouAIOUY@]+")


def weak_key(word: str) -> str:
    """The rough pronunciation with every vowel but the first one as the same."""
    key = sound_key(word)
    first = re.match(r"[^aeiouAIOUY@]*[aeiouAIOUY@]+", key)
    start = first.end() if first else 0
    return key[:start] + _WEAK.sub("@", key[start:])
