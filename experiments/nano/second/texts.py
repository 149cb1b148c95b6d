"""Texts of the second corpus: natural English out of Debian's packages, and short fragments.

Sources: the usage examples and definitions of WordNet 3.0 (package ``wordnet-base``), and sentences of the
``fortunes``. A text is kept when the project's own text pipeline reads it, when it has 3 to 25 words and when
the CMU dictionary knows every word.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from experiments.nano.data import lexicon
from experiments.nano.data.cmudict import pronunciations
from llasa_core.errors import UserError
from llasa_core.text import spoken_form

WORDNET = Path("/usr/share/wordnet")
FORTUNES = Path("/usr/share/games/fortunes")
HELD_OUT = Path(__file__).with_name("held_out.txt")
CHAPTERS = """art computers cookie definitions education food humorists kids law literature love magic
    medicine miscellaneous news paradoxum people pets platitudes politics science sports startrek wisdom
    work""".split()
"""Of the fortunes: what is mostly prose and for any reader."""

WORDS = (3, 25)
N_HELD_OUT, N_TEST = 300, 100
SHARES = {
    "example": 0.45,
    "definition": 0.24,
    "fortune": 0.09,
    "phrase": 0.08,
    "word": 0.06,
    "name": 0.04,
    "number": 0.04,
}
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])")
_KEPT = re.compile(r"[A-Za-z' ,;:.!?-]+")


@dataclass(frozen=True)
class Text:
    """``text``: lower-case words, what the generator reads. ``written``: with punctuation, what is spoken."""

    text: str
    written: str
    kind: str


def sayable(written: str, kind: str) -> Text | None:
    """The text as it is spoken and read, or None if a word of it has no known pronunciation."""
    spoken = spoken_form(written).spoken
    if not _KEPT.fullmatch(spoken):
        return None
    plain = " ".join(re.sub(r"[^a-z' ]+", " ", spoken.lower()).split())
    words = plain.split()
    if not WORDS[0] <= len(words) <= WORDS[1] or not all(word in _known() for word in words):
        return None
    return Text(plain, spoken, kind)


@cache
def _known() -> frozenset[str]:
    return frozenset(word for word in pronunciations() if re.fullmatch(r"[a-z]+('[a-z]+)?'?", word))


def wordnet() -> Iterator[Text]:
    """Examples and definitions, in the order of the files. Raises UserError where WordNet is missing."""
    for part in ("noun", "verb", "adj", "adv"):
        path = WORDNET / f"data.{part}"
        if not path.exists():
            raise UserError("the texts of WordNet are missing: apt-get install wordnet-base fortunes")
        for line in path.read_text("utf-8").splitlines():
            _, bar, gloss = line.partition(" | ")
            if not bar or line.startswith("  "):
                continue
            definition = re.sub(r"\([^)]*\)", " ", gloss.split('"')[0]).strip(" ;:,")
            candidates = [(example, "example") for example in re.findall(r'"([^"]+)"', gloss)]
            candidates.append((definition.split(";")[0].strip(), "definition"))
            for written, kind in candidates:
                if found := sayable(written, kind):
                    yield found


def fortunes() -> Iterator[Text]:
    """Single sentences of the fortunes; verse, dialogue and signatures are left out."""
    for chapter in CHAPTERS:
        path = FORTUNES / chapter
        if not path.exists():
            continue
        for entry in path.read_text("utf-8", errors="ignore").split("\n%\n"):
            body = re.split(r"\n\s*--", entry)[0]
            if re.search(r"^\s*[A-Z]\w*:|\t| {4}", body, re.MULTILINE):
                continue
            for sentence in _SENTENCE.split(" ".join(body.split())):
                if re.fullmatch(r"[A-Z][^\"(]+[.!?]", sentence) and (found := sayable(sentence, "fortune")):
                    yield found


@cache
def natural() -> tuple[Text, ...]:
    """All natural texts, each once."""
    found: dict[str, Text] = {}
    for text in (*wordnet(), *fortunes()):
        found.setdefault(text.text, text)
    return tuple(found.values())


def held_out() -> list[str]:
    """The sentences of evaluation, which no corpus has; the first ``N_TEST`` are the study's."""
    lines = HELD_OUT.read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def choose_held_out(texts: Sequence[Text], seed: int) -> list[str]:
    """Draw the sentences of evaluation: whole sentences of 5 to 20 words among the examples.

    Every word of them is in some other text, so that what is measured is not the spelling of rare words.
    """
    counts = Counter(word for t in texts for word in set(t.text.split()))
    sentences = [
        t.text
        for t in texts
        if t.kind == "example"
        and 5 <= len(t.text.split()) <= 20
        and _SENTENCE_LIKE.match(f"{t.text} ")
        and all(counts[word] > 2 for word in t.text.split())
    ]
    return random.Random(seed).sample(sentences, N_HELD_OUT)


_SENTENCE_LIKE = re.compile(
    r"(i|you|he|she|it|we|they|there|this|(the|my|his|her|our|their|your|these|those|that)( \w+){1,2}) "
    r"(is|are|was|were|has|have|had|do|does|did|will|would|can|could|should|must|may|might|came|went|said|took"
    r"|made|gave|saw|left|[a-z]+ed|[a-z]+[^s]s) "
)
RUN = 5
"""Words in a row that a training text must not share with a held-out sentence."""


def runs(text: str) -> set[tuple[str, ...]]:
    """All runs of ``RUN`` words of a text."""
    words = text.split()
    return {tuple(words[k : k + RUN]) for k in range(len(words) - RUN + 1)}


class Fragments:
    """Short texts: single words, phrases cut out of natural texts, names and numbers."""

    def __init__(self, texts: list[Text], generator: random.Random) -> None:
        self.random = generator
        self.texts = [t.text.split() for t in texts if t.kind == "example"]
        counts: dict[str, int] = {}
        for words in self.texts:
            for word in words:
                counts[word] = counts.get(word, 0) + 1
        self.common = sorted(word for word, count in counts.items() if len(word) > 1 and count > 1)
        self.known = sorted(word for word in _known() if re.fullmatch("[a-z]{3,12}", word))

    def word(self) -> str:
        """A word: half of them from the natural texts, half from the whole dictionary."""
        return self.random.choice(self.common if self.random.random() < 0.5 else self.known)

    def phrase(self) -> str:
        """Two to four words in a row."""
        words = self.random.choice(self.texts)
        size = self.random.randint(2, 4)
        start = self.random.randrange(max(1, len(words) - size + 1))
        return " ".join(words[start : start + size])

    def name(self) -> str:
        """A given name with a surname-like word of the dictionary."""
        return f"{self.random.choice(lexicon.NAMES)} {self.random.choice(self.known)}"

    def number(self) -> str:
        """A number up to a hundred thousand in words."""
        return lexicon.number_words(self.random.randrange(self.random.choice((20, 100, 1000, 100_000))))


def write(count: int, seed: int) -> list[Text]:
    """``count`` texts in the shares of ``SHARES``, in random order; no text is near a held-out sentence.

    Once a source is used up its texts come again, so a larger count repeats texts (in other voices).
    """
    excluded = {run for sentence in held_out() for run in runs(sentence)}
    texts = [t for t in natural() if excluded.isdisjoint(runs(t.text))]
    generator = random.Random(seed)
    fragments = Fragments(texts, generator)
    written: list[Text] = []
    for kind, share in SHARES.items():
        wanted = round(count * share)
        pool = [t for t in texts if t.kind == kind]
        generator.shuffle(pool)
        while pool and wanted > 0:
            written += pool[:wanted]
            wanted -= len(pool[:wanted])
        for _ in range(wanted):
            text = getattr(fragments, kind)()
            written.append(Text(text, text, kind))
    generator.shuffle(written)
    return written
