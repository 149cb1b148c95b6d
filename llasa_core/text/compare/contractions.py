"""English contractions and what they stand for."""

from functools import lru_cache

_NOT = "do does did is are was were have has had would could should must need might may ought dare".split()
_TABLE: dict[str, tuple[str, ...]] = {
    **{f"{verb}n't": (f"{verb} not",) for verb in _NOT},
    "can't": ("cannot", "can not"),
    "cannot": ("can not",),
    "won't": ("will not",),
    "shan't": ("shall not",),
    "mayn't": ("may not",),
    "ain't": ("is not", "am not", "are not"),
    "i'm": ("i am",),
    "let's": ("let us",),
    "y'all": ("you all",),
    "ma'am": ("madam",),
    "c'mon": ("come on",),
    "o'er": ("over",),
    "e'er": ("ever",),
    "ne'er": ("never",),
    "'tis": ("it is",),
    "'twas": ("it was",),
    "tis": ("it is",),
    "twas": ("it was",),
    "em": ("them",),
    "gonna": ("going to",),
    "wanna": ("want to",),
    "gotta": ("got to",),
    "lemme": ("let me",),
    "gimme": ("give me",),
    "kinda": ("kind of",),
    "sorta": ("sort of",),
    "outta": ("out of",),
    "dunno": ("do not know", "don't know"),
    "cmon": ("come on",),
    "alright": ("all right",),
    "cos": ("because",),
    "cause": ("because",),
    "coz": ("because",),
    "cuz": ("because",),
    "n": ("and",),
    "o": ("oh",),
    "already": ("all ready",),
    "altogether": ("all together",),
    "til": ("till", "until"),
    "wouldn't've": ("would not have",),
    "couldn't've": ("could not have",),
    "shouldn't've": ("should not have",),
}
_SHORT: dict[str, tuple[str, ...]] = {
    "st": ("saint", "street"),
    "ft": ("fort", "feet", "foot"),
    "ave": ("avenue",),
    "rd": ("road",),
    "blvd": ("boulevard",),
    "rev": ("reverend",),
    "gen": ("general",),
    "gov": ("governor",),
    "sen": ("senator",),
    "lt": ("lieutenant",),
    "col": ("colonel",),
    "vol": ("volume",),
    "fig": ("figure",),
    "inc": ("incorporated",),
    "ltd": ("limited",),
    "co": ("company",),
    "kg": ("kilograms", "kilogram"),
    "km": ("kilometers", "kilometer"),
    "cm": ("centimeters", "centimeter"),
    "mm": ("millimeters", "millimeter"),
    "gb": ("gigabytes", "gigabyte"),
    "mb": ("megabytes", "megabyte"),
    "lbs": ("pounds",),
    "mph": ("miles per hour", "miles an hour"),
}
"""Short forms without their full stop, as recognisers without punctuation write them."""
_TAILS = {
    "'ll": ("will", "shall"),
    "'re": ("are",),
    "'ve": ("have",),
    "'d": ("would", "had", "did"),
    "'s": ("is", "has"),
    "in'": (),
}
PLAIN = {"'em": "em", "'cause": "cause", "'til": "til"}


@lru_cache(maxsize=16384)
def expansions(word: str) -> tuple[tuple[str, ...], ...]:
    """The words that a contraction stands for: `we'll` -> (we, will), (we, shall). Empty for other words."""
    if found := _TABLE.get(word) or _SHORT.get(word):
        return tuple(tuple(one.split()) for one in found)
    if word.endswith("in'"):
        return ((f"{word[:-1]}g",),)
    for tail, words in _TAILS.items():
        if len(word) > len(tail) and word.endswith(tail):
            stem = word[: -len(tail)]
            return tuple((*(expansions(stem)[0] if expansions(stem) else (stem,)), one) for one in words)
    return ()


def is_short(word: str) -> bool:
    """Whether the word is an abbreviation and no contraction."""
    return word in _SHORT
