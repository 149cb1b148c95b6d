"""Texts of the corpus: sentences from templates, word salad, short phrases, rare words and a harder list.

Held-out sentences are word sequences that no training text has. All randomness comes from the seed given.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from experiments.nano.data import lexicon as lx

_T = lx.verbs(lx.TRANSITIVE)
_I = lx.verbs(lx.INTRANSITIVE)
_COUNTABLE = [n for n in lx.THINGS + lx.ANIMALS + lx.FOOD + lx.PEOPLE if n not in lx.MASS]


@dataclass(frozen=True)
class Text:
    """One text to be spoken; ``kind`` is sentence, salad, phrase or rare."""

    text: str
    kind: str


class Writer:
    """Writes texts from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.templates: list[Callable[[], str]] = [
            lambda: f"{self.subject()} {self.past()} {self.noun_phrase()}",
            lambda: f"{self.subject()} {self.past()} {self.noun_phrase()} {self.pick(lx.TIMES)}",
            lambda: f"{self.subject()} {self.past()} {self.noun_phrase()} {self.where()}",
            lambda: f"{self.subject()} {self.intransitive()} {self.where()}",
            lambda: f"{self.subject()} {self.intransitive()} {self.pick(lx.ADVERBS)} {self.pick(lx.TIMES)}",
            lambda: (
                f"please {self.base()} {self.noun_phrase()} {self.pick(['now', 'for me', 'first', 'again', 'before you go'])}"
            ),
            lambda: f"the {self.pick(lx.ADJECTIVES)} {self.noun()} is {self.where()}",
            lambda: (
                f"{self.pick(lx.PRONOUNS[3:6])} {self.pick(['need', 'want', 'have', 'found', 'counted'])} {self.count()} and {self.count()}"
            ),
            lambda: (
                f"{self.pick(lx.AUXILIARY[:8])} {self.pick(lx.PRONOUNS)} {self.base()} {self.noun_phrase()} {self.pick(lx.TIMES)}"
            ),
            lambda: (
                f"{self.subject()} is {self.pick(['very', 'always', 'never', 'not', 'too', 'still'])} {self.pick(lx.FEELINGS)} {self.pick(lx.TIMES)}"
            ),
            lambda: f"i {self.past()} {self.noun_phrase()} from the {self.pick(lx.PLACES)}",
            lambda: (
                f"the {self.pick(lx.WEATHER)} came {self.pick(lx.ADVERBS)} and everyone was {self.pick(lx.FEELINGS)}"
            ),
            lambda: f"{self.pick(lx.QUESTION[:4])} did {self.subject()} {self.base()} {self.noun_phrase()}",
            lambda: f"there are {self.count()} {self.where()}",
            lambda: f"{self.subject()} and {self.subject()} {self.intransitive()} {self.pick(lx.TIMES)}",
            lambda: (
                f"{self.subject()} {self.pick(['is', 'was'])} {lx.gerund(self.base())} {self.noun_phrase()}"
            ),
            lambda: f"{self.subject()} {lx.third(self.base())} {self.plural_phrase()} {self.pick(lx.TIMES)}",
            lambda: (
                f"{self.subject()} {self.past()} {self.pick(lx.OBJECTS)} {self.pick(lx.LINKS)} {self.pick(lx.PRONOUNS)} {self.intransitive()}"
            ),
            lambda: (
                f"{self.plural_phrase()} {self.pick(['are', 'were'])} {self.pick(['very', 'not', 'quite', 'almost'])} {self.pick(lx.ADJECTIVES)}"
            ),
            lambda: (
                f"the {self.pick(lx.ORDINALS)} {self.noun()} {self.pick(['costs', 'weighs', 'has'])} {self.number()} {self.pick(['pounds', 'coins', 'stones', 'pieces'])}"
            ),
            lambda: (
                f"{self.pick(lx.PRONOUNS)} {self.pick(lx.AUXILIARY[:8])} {self.pick(['not', 'never', 'always', 'also'])} {self.base()} {self.noun_phrase()}"
            ),
        ]

    def pick(self, options: list[str]) -> str:
        return self.random.choice(options)

    def subject(self) -> str:
        r = self.random.random()
        if r < 0.35:
            return self.pick(lx.NAMES)
        if r < 0.75:
            return f"{self.pick(['the', 'my', 'his', 'her', 'our', 'their', 'your'])} {self.adjective(0.25)}{self.pick(lx.PEOPLE)}"
        return self.pick(lx.PRONOUNS)

    def adjective(self, chance: float) -> str:
        return f"{self.pick(lx.ADJECTIVES)} " if self.random.random() < chance else ""

    def noun(self) -> str:
        return self.pick(lx.THINGS + lx.ANIMALS + lx.FOOD)

    def noun_phrase(self) -> str:
        if self.random.random() < 0.72:
            words = f"{self.adjective(0.5)}{self.noun()}"
            determiner = self.pick(lx.DETERMINERS)
            if determiner == "a" and words[0] in "aeiou":
                determiner = "the"
            return f"{determiner} {words}"
        return self.plural_phrase() if self.random.random() < 0.5 else self.count()

    def plural_phrase(self) -> str:
        return f"{self.pick(lx.PLURAL_DETERMINERS)} {self.adjective(0.4)}{lx.plural(self.pick(_COUNTABLE))}"

    def number(self) -> str:
        r = self.random.random()
        top = 20 if r < 0.35 else 100 if r < 0.7 else 1000 if r < 0.9 else 100_000
        return lx.number_words(self.random.randrange(2, top))

    def count(self) -> str:
        return f"{self.number()} {self.adjective(0.25)}{lx.plural(self.pick(_COUNTABLE))}"

    def where(self) -> str:
        return (
            f"{self.pick(lx.PREPOSITIONS)} the {self.adjective(0.2)}{self.pick(lx.PLACES + lx.THINGS[:20])}"
        )

    def base(self) -> str:
        return self.random.choice(_T)[0]

    def past(self) -> str:
        return self.random.choice(_T)[1]

    def intransitive(self) -> str:
        return self.random.choice(_I)[1]

    def sentence(self) -> str:
        """A sentence of 3 to 14 words."""
        while True:
            text = self.random.choice(self.templates)()
            if 3 <= len(text.split()) <= 14:
                return text

    def salad(self, low: int, high: int) -> str:
        """Words of the vocabulary in any order: nothing but reading helps to say them."""
        return " ".join(self.random.choices(lx.vocabulary(), k=self.random.randint(low, high)))

    def rare(self, words: list[str]) -> str:
        """Rare words among common ones."""
        n = self.random.randint(1, 3)
        picked = self.random.sample(words, n) + self.random.choices(
            lx.vocabulary(), k=self.random.randint(0, 3)
        )
        self.random.shuffle(picked)
        return " ".join(picked)


SHARES = {"sentence": 0.55, "salad": 0.20, "phrase": 0.10, "rare": 0.15}


def write(count: int, seed: int, rare_words: list[str], exclude: set[str] | None = None) -> list[Text]:
    """``count`` different texts in the shares of ``SHARES``, none of them in ``exclude``."""
    writer, seen = Writer(seed), set(exclude or ())
    texts: list[Text] = []
    make: dict[str, Callable[[], str]] = {
        "sentence": writer.sentence,
        "salad": lambda: writer.salad(3, 8),
        "phrase": lambda: writer.salad(1, 3) if writer.random.random() < 0.8 else writer.number(),
        "rare": lambda: writer.rare(rare_words),
    }
    for kind, share in SHARES.items():
        made = 0
        while made < round(count * share):
            text = make[kind]()
            if text not in seen or (kind == "phrase" and len(text.split()) < 2):
                seen.add(text)
                texts.append(Text(text, kind))
                made += 1
    writer.random.shuffle(texts)
    return texts


def held_out_sentences(count: int, seed: int) -> list[str]:
    """Sentences for evaluation; pass them as ``exclude`` when the training texts are written."""
    writer = Writer(seed)
    texts: list[str] = []
    while len(texts) < count:
        text = writer.sentence()
        if len(text.split()) >= 4 and text not in texts:
            texts.append(text)
    return texts


HARD = [
    "she sells sea shells by the sea shore",
    "peter piper picked a peck of pickled peppers",
    "how much wood would a woodchuck chuck if a woodchuck could chuck wood",
    "red lorry yellow lorry red lorry yellow lorry",
    "the sixth sick sheik saw six sick sheep",
    "fresh fried fish fish fresh fried fried fish fresh",
    "a big black bug bit a big black bear",
    "three free throws for three thirsty thieves",
    "round the rugged rocks the ragged rascal ran",
    "betty bought some butter but the butter was bitter",
    "she saw six slim sleek slender saplings",
    "we surely shall see the sun shine soon",
    "which witch wished which wicked wish",
    "the great greek grape growers grow great greek grapes",
    "toy boat toy boat toy boat",
    "the orchestra rehearsed a symphony beneath the crumbling cathedral",
    "a philosopher quietly questioned the algorithm",
    "the volcano erupted and swallowed an abandoned railway",
    "engineers calibrated the telescope before the eclipse",
    "the astronaut photographed a glowing nebula",
    "migrating flamingos gathered along the lagoon",
    "his grandmother embroidered a crimson tapestry",
    "the chemist dissolved the powder in vinegar",
    "a detective examined fingerprints on the banister",
    "the sculptor polished a marble falcon",
    "lavender and rosemary flourished beside the cottage",
    "the committee postponed the controversial referendum",
    "bandits ambushed the caravan near the oasis",
    "an electrician replaced the faulty transformer",
    "the goalkeeper deflected a ferocious penalty",
    "the old farmer carried seven heavy baskets of golden apples across the narrow bridge while his brother watched the sheep",
    "when the storm came the sailors pulled down the flag and waited quietly under the deck until the early morning",
    "my youngest sister wrote a long letter to the president because she wanted a new library in our village",
    "the teacher asked every student to read the third chapter and answer nine hundred forty two difficult questions",
    "after dinner we walked slowly through the dark forest and listened to the owls above the silent frozen lake",
    "the tired pilot could not find the airport because thick fog covered the mountains and the whole valley",
    "please open the window close the door clean the table and bring me two cups of coffee with some sugar",
    "nobody remembered where the captain had hidden the silver key although everyone in the harbour knew the story",
    "the baker sold eighty seven loaves of bread before noon and then gave the last three to a hungry stranger",
    "if you follow the river towards the east you will discover an ancient stone tower beside a small wooden church",
]
"""Tongue twisters, words that training never has, long sentences."""
