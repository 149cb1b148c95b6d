"""The names of emotions: one canonical English name for each, and what else people call it; and the axes of
emotions that are measured."""

from collections.abc import Mapping, Sequence

from llasa_core.errors import LlasaError, UserError, nearest

EMOTIONS: Mapping[str, tuple[str, ...]] = {
    "angry": ("生气", "anger", "mad", "furious", "rage", "愤怒", "发怒", "恼怒"),
    "disgusted": ("厌恶", "disgust", "disgusting", "反感", "恶心"),
    "fearful": ("恐惧", "fear", "afraid", "scared", "frightened", "terrified", "害怕", "惊恐"),
    "happy": ("开心", "happiness", "joy", "joyful", "cheerful", "glad", "高兴", "快乐", "喜悦", "愉快"),
    "neutral": ("中立", "neutrality", "no emotion", "中性", "无情绪"),
    "other": ("其他", "others", "其它"),
    "sad": (
        "难过",
        "sadness",
        "sorrow",
        "sorrowful",
        "unhappy",
        "melancholic",
        "悲伤",
        "伤心",
        "忧伤",
        "忧郁",
    ),
    "surprised": ("吃惊", "surprise", "astonished", "amazed", "惊讶", "惊喜"),
}
"""The canonical names, which are those of emotion2vec's labels (arXiv 2312.15185), and their synonyms; the
first synonym is the Chinese name in the same label. Calm has no entry: a calm voice is not a neutral one."""
DIMENSIONS = ("arousal", "dominance", "valence")
"""The axes, each from 0 to 1: calm to excited, submissive to dominant, unpleasant to pleasant."""
_CANONICAL = {synonym: emotion for emotion, synonyms in EMOTIONS.items() for synonym in (emotion, *synonyms)}


def canonical(name: str, known: Sequence[str], error: type[LlasaError] = UserError) -> str:
    """The entry of `known` that is meant by `name`: that very name, in upper or lower case, or else a
    synonym of it.

    known: names, or several names of one emotion with slashes between, as in emotion2vec's labels
    ("开心/happy"); `name` may be written so too. Raises `error` for a name that means none of them and offers
    the nearest, in Chinese for a name that is not ASCII.
    """
    given = _names(name)
    for entry in known:
        if given <= _names(entry):
            return entry
    for entry in known:
        if _meanings(given) <= _meanings(_names(entry)):
            return entry
    offered = {offer for entry in known for offer in _offered(entry, ascii=name.isascii())}
    raise error(f"unknown emotion {name.strip()[:40]!r}{nearest(name.strip(), offered or known)}")


def check_dimensions(given: Mapping[str, float], error: type[LlasaError] = UserError) -> None:
    """Raises `error` unless at least one of the axes has a value, each from 0 to 1, and nothing else has."""
    if not given:
        raise error(f"no value on any axis of emotion is given: give one of {', '.join(DIMENSIONS)}")
    for name, value in given.items():
        if name not in DIMENSIONS:
            raise error(f"unknown axis of emotion {name[:40]!r}{nearest(name, DIMENSIONS)}")
        if not 0 <= value <= 1:
            raise error(f"{name} is {value:g}: give a number from 0 to 1")


def meaning(name: str) -> str:
    """The canonical name of the emotion, or the name itself, in lower case, if it has none."""
    return _CANONICAL.get(name.casefold(), name.casefold())


def _names(entry: str) -> set[str]:
    return {" ".join(part.casefold().split()) for part in entry.split("/")}


def _meanings(names: set[str]) -> set[str]:
    return {_CANONICAL.get(name, name) for name in names}


def _offered(entry: str, *, ascii: bool) -> list[str]:
    """The entry's names in one script; in Chinese also emotion2vec's for an entry that is English alone."""
    names = sorted(_names(entry))
    if not ascii and all(name.isascii() for name in names):
        return [EMOTIONS[meaning][0] for meaning in _meanings(set(names)) if meaning in EMOTIONS]
    return [name for name in names if name.isascii() == ascii]
