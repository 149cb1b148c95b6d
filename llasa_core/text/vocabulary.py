"""The English words that everybody knows."""

from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def common_words() -> frozenset[str]:
    """Frequent words, in lower case: what is not among them may be a name."""
    path = files("llasa_core.text") / "data" / "common_words.txt"
    return frozenset(path.read_text("utf-8").split())
