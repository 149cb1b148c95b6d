"""The CMU pronouncing dictionary, in the file that pocketsphinx brings."""

import re
from pathlib import Path

from llasa_core.errors import UserError


def model_folder() -> Path:
    """pocketsphinx's American English: acoustic model and dictionary. Raises UserError where it is not
    installed.
    """
    try:
        import pocketsphinx
    except ImportError:
        raise UserError("pocketsphinx is not installed: pip install 'llasa-search[train]'") from None
    return Path(pocketsphinx.get_model_path()) / "en-us"


def pronunciations() -> dict[str, list[str]]:
    """Word -> its phoneme strings."""
    entries: dict[str, list[str]] = {}
    for line in (model_folder() / "cmudict-en-us.dict").read_text().splitlines():
        word, _, phonemes = line.strip().partition(" ")
        entries.setdefault(re.sub(r"\(\d\)$", "", word), []).append(phonemes)
    return entries
