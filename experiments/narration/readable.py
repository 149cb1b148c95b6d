"""Words that the model cannot read, found before it is loaded."""

from __future__ import annotations

from collections.abc import Sequence

import regex

from experiments.narration.book import beginning
from experiments.narration.chunks import Chunk
from llasa_core.errors import UserError
from llasa_core.presets import PACKAGED, Preset
from llasa_core.text.alphabet import LLASA, NANO, Alphabet, script, unreadable

_WORD = regex.compile(r"[\p{L}\p{M}]+")


def alphabet_of(preset: Preset) -> Alphabet:
    """What the preset's model reads: the packaged one the letters a to z, Llasa English and Chinese."""
    return NANO if preset.generator in PACKAGED else LLASA


def pace_of(preset: Preset) -> str:
    """The name of the pace at which the preset's model speaks, as `llasa_core.text.length` has it."""
    return "nano" if preset.generator in PACKAGED else "llasa"


def check_readable(chunks: Sequence[Chunk], alphabet: Alphabet) -> None:
    """Raises UserError, in one line, for words of which the model can read no letter, and for words that mix
    scripts: of a Latin word with a Cyrillic letter in it, the model would leave out that letter."""
    lost: dict[str, Chunk] = {}
    for chunk in chunks:
        for word in _WORD.findall(chunk.spoken):
            if _lost(word, alphabet):
                lost.setdefault(word, chunk)
    if lost:
        word, chunk = next(iter(lost.items()))
        named = ", ".join(str(one) for one in unreadable("".join(lost), alphabet))
        more = f" and {len(lost) - 1} more words" if len(lost) > 1 else ""
        raise UserError(
            f"the model cannot read {named}: {word!r} in chapter {chunk.chapter}, "
            f"{beginning(chunk.written)!r}{more}; "
            f"respell them in a --lexicon, or edit them in the file of --text-file"
        )


def left_out(chunks: Sequence[Chunk], alphabet: Alphabet) -> str:
    """One line on words of which the model leaves out a letter and says the rest; "" if there are none."""
    words: dict[str, None] = {}
    for chunk in chunks:
        for word in _WORD.findall(chunk.spoken):
            if not _lost(word, alphabet) and unreadable(word, alphabet):
                words[word] = None
    if not words:
        return ""
    named = ", ".join(str(one) for one in unreadable("".join(words), alphabet))
    many = f" and in {len(words) - 1} more words" if len(words) > 1 else ""
    return f"the model leaves out {named} in {next(iter(words))!r}{many}: respell them in a --lexicon"


def _lost(word: str, alphabet: Alphabet) -> bool:
    unread = [letter for letter in word if letter.isalpha() and not alphabet.reads(letter)]
    if not unread:
        return False
    scripts = {script(letter) for letter in word if letter.isalpha()}
    return len(scripts) > 1 or len(unread) == sum(map(str.isalpha, word))
