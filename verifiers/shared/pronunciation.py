"""How English words that no dictionary has may be pronounced, roughly, by their letters: names above all."""

import re
from collections.abc import Mapping, Sequence

_SOUNDS: Mapping[str, str] = dict(
    line.split("=")
    for line in """\
tch=CH sch=SH igh=AY tion=SH|AH|N sion=ZH|AH|N dge=JH
ch=CH sh=SH th=TH ph=F gh=G kn=N gn=N wr=R wh=W ck=K qu=K|W ng=NG nk=NG|K bh=V kh=K zh=ZH dh=D rh=R ts=T|S
ee=IY ea=IY oo=UW ou=AW ow=OW oa=OW oi=OY oy=OY ai=EY ay=EY ei=EY ey=IY au=AO aw=AO ie=IY eu=Y|UW ew=Y|UW
ue=UW ui=UW ia=IY|AH io=IY|OW iu=IY|AH eo=IY|OW ae=EY oe=OW ua=W|AA aa=AA uu=UW ii=IY
er=ER ir=ER ur=ER ar=AA|R or=AO|R
a=AE b=B c=K d=D e=EH f=F g=G h=HH i=IH j=JH k=K l=L m=M n=N o=AA p=P q=K r=R s=S t=T u=AH v=V w=W x=K|S
y=IY z=Z""".split()
)
"""Phones of the CMU dictionary by letters, the longest letters first."""
_OPEN = {"a": "AA", "e": "EY", "i": "IY", "o": "OW", "u": "UW"}
"""Vowels as most other languages read them, and as English does where a syllable ends with them."""
_TOKEN = re.compile("|".join(sorted(_SOUNDS, key=len, reverse=True)))
_VOICELESS = frozenset("P T K F TH".split())
_HISSING = frozenset("S Z SH ZH CH JH".split())


def guesses(word: str) -> list[str]:
    """Phones of a word in the letters a to z, with spaces between them: as English and as another language
    may read it. None for a word without such letters.

    >>> guesses("nasa")
    ['N AE S AE', 'N AA S AA']
    """
    letters = re.sub(r"(.)\1+", r"\1", re.sub(r"[^a-z]", "", word.lower()))
    letters = re.sub(r"(?<=[^aeiouy])e$", "", letters) if len(letters) > 3 else letters
    letters = re.sub(r"c(?=[eiy])", "s", letters)
    if not letters:
        return []
    tokens = _TOKEN.findall(letters)
    plain = [phone for token in tokens for phone in _SOUNDS[token].split("|")]
    other = [phone for token in tokens for phone in _OPEN.get(token, _SOUNDS[token]).split("|")]
    return list(dict.fromkeys([" ".join(plain), " ".join(other)]))


def with_s(phones: str) -> str:
    """The phones of a word with a possessive or plural s behind it."""
    last = phones.split()[-1]
    ending = "S" if last in _VOICELESS else "AH Z" if last in _HISSING else "Z"
    return f"{phones} {ending}"


def pronunciations(word: str, known: Mapping[str, Sequence[str]]) -> list[str]:
    """Those of a dictionary; of what it lacks, those of the word before `'s`, or guesses."""
    if found := known.get(word):
        return list(found)
    base = word.removesuffix("'s")
    if base != word and (found := known.get(base)):
        return [with_s(phones) for phones in found]
    return guesses(word)
