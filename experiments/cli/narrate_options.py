"""Options of `narrate` and of its commands, and what is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from experiments.cli.options import Decorator, bundled, kinds, option, voices
from experiments.cli.parameters import FileType, SpecType, TextType, Whole
from experiments.cli.search_options import (
    MOST,
    model_options,
    ray_options,
    ray_parameters,
    sampling_options,
)
from experiments.config import SearchOptions, read_budget
from experiments.request_options import RequestOptions
from llasa_core.errors import UserError
from llasa_core.request import MAX_SEED
from search.bounds import LARGEST

if TYPE_CHECKING:
    from experiments.narration.speaking.ladder import Limits

_READING = ("docx", "lxml", "markdown_it", "mdit_py_plugins", "regex", "sentencex")
_PRODUCTION = ("PIL", "pyloudnorm", "scipy")
"""What makes the files of a book."""
EXIT_LOST, EXIT_FLAGGED = 1, 3
"""Some chunks could not be spoken; some did not pass."""


@dataclass(frozen=True)
class SpeakOptions:
    """How a book is spoken. search: without strategy and verifiers, which follow from the ears."""

    search: SearchOptions
    ears: tuple[str, ...]
    budget: str | None
    book_tokens: int | None
    in_flight: int | None

    @property
    def limits(self) -> Limits:
        """Raises UserError for a budget that cannot be read."""
        from experiments.narration.speaking.ladder import Limits

        return Limits(read_budget(self.budget), self.book_tokens)


def speak_options() -> Decorator[Any]:
    """How to speak, as `speak: SpeakOptions`."""
    search = partial(option, group="search")
    own = [
        search(
            "--ears SPEC,SPEC",
            TextType(kinds),
            "two recognisers that have to find no word wrong (default: of two families)",
        ),
        search(
            "--budget LIMIT=N,...",
            SpecType(),
            "of each chunk, over all its searches: tokens=, seconds= (default: the searches' own widths)",
        ),
        search(
            "--book-tokens N",
            Whole(1, LARGEST),
            "of all chunks together; each gets its first search (default: 6 candidates of each)",
        ),
        search(
            "--in-flight N",
            Whole(1, MOST),
            "chunks searched at once (default 8, for each actor); changes no result",
        ),
    ]
    return bundled("speak", _speak, [*own, *model_options(), *sampling_options(), *ray_parameters()])


def voice_options() -> Decorator[Any]:
    """The narrator's voice, and the seed, as `request: RequestOptions`."""
    voice = partial(option, group="voice")
    found = [
        voice("--voice NAME", TextType(voices), "a shipped voice prompt (default: the first one)"),
        voice("--prompt-audio WAV", FileType(), "a recording of the voice"),
        voice("--prompt-text TEXT", TextType(), "what is said in it"),
        voice("--no-prompt", None, "let the model choose a voice, another one for each chunk"),
        voice(
            "--voice-styles",
            None,
            "a chunk that names an emotion is spoken with the shipped recording of its voice in that style, "
            "where there is one",
        ),
    ]
    seed = option(
        "--seed N", Whole(0, MAX_SEED), "same seed, same book (default 0)", group="search", default=0
    )
    return bundled("request", RequestOptions, [*found, seed])


def _speak(
    *,
    ears: str | None,
    budget: str | None,
    book_tokens: int | None,
    in_flight: int | None,
    **values: Any,
) -> SpeakOptions:
    ray = {name: values.pop(name) for name in list(values) if name.partition("_")[0] == "ray"}
    return SpeakOptions(
        SearchOptions(ray=ray_options(**ray), **values), split_ears(ears), budget, book_tokens, in_flight
    )


def split_ears(given: str | None) -> tuple[str, ...]:
    """The specs between the commas; none where none are given."""
    return () if given is None else tuple(one.strip() for one in given.split(","))


def folder_option() -> Decorator[Any]:
    """Where the book is spoken into."""
    return option(
        "-o, --output DIR",
        FileType(),
        "speak into this folder, or go on there",
        group="outputs",
        into="folder",
    )


def check_extra() -> None:
    """Raises UserError if the libraries of the extra `narration` are missing."""
    missing = [name for name in (*_READING, *_PRODUCTION) if not find_spec(name)]
    if missing:
        raise UserError(f"narrate needs {', '.join(missing)}: pip install 'llasa-search[narration]'")
