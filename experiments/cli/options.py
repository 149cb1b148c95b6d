"""Options that several commands share.

Each group reaches its command as one frozen dataclass; no object of click leaves this package.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from experiments.cli.commands import Option
from experiments.cli.parameters import DeviceType, FileType, TextType, Whole
from experiments.cli.speak import Files
from experiments.request_options import RequestOptions
from llasa_core.request import MAX_SEED
from llasa_core.voices import shipped_voices

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]


def option(
    usage: str, type: click.ParamType[Any] | None, help: str, *, group: str, into: str = "", **rest: Any
) -> Decorator[Any]:
    """An option under a heading of the help.

    usage: `-o, --output WAV`. type: None for a flag, which has no last word. into: the argument of the
    command that gets the value, where it is named otherwise than the option.
    """
    names, _, metavar = usage.rpartition(" ") if type is not None else (usage, "", "")
    attributes = {"metavar": metavar, "type": type} if type is not None else {"is_flag": True}
    declared = [*names.split(", "), into] if into else names.split(", ")
    return click.option(*declared, cls=Option, group=group, help=help, **attributes, **rest)


def bundled(into: str, make: Callable[..., Any], options: Iterable[Decorator[Any]]) -> Decorator[Any]:
    """Adds the options to a command, which gets `make(**values)` as its argument `into`."""

    def decorate(function: Function) -> Any:
        @functools.wraps(function)
        def call(**values: Any) -> Any:
            own = {name: values.pop(name) for name in names}
            return function(**values, **{into: make(**own)})

        before = len(getattr(call, "__click_params__", ()))
        for add in reversed(list(options)):
            add(call)
        names = [param.name for param in call.__click_params__[before:]]  # type: ignore[attr-defined]
        return call

    return decorate


def kinds() -> Iterable[str]:
    """Names of the verifiers, for completion in the shell."""
    from verifiers.registry import kinds

    return kinds()


def voices() -> Iterable[str]:
    return (voice.name for voice in shipped_voices())


# Options of several groups, each of which heads them by a name of its own.
language = partial(option, "--language CODE", TextType(), "of the text (default en)", default="en")
emotion = partial(
    option,
    "--emotion EMOTION",
    TextType(),
    "how it should sound: sad, or a mix happy=0.6,surprised=0.4, or arousal=0.8,valence=0.3; labels in "
    "English or Chinese",
)
emotion_audio = partial(option, "--emotion-audio WAV", FileType(), "a recording of the emotion, in any voice")
device = partial(option, "--device NAME", DeviceType(), "cpu, cuda, cuda:1 ... (default cpu)", default="cpu")
verifier = partial(option, "--verifier SPEC", TextType(kinds), into="verifiers", multiple=True)
json_file = partial(option, "--json FILE", FileType(stdout=True), group="outputs")


def recording_options() -> list[Decorator[Any]]:
    prompt_audio = option("--prompt-audio WAV", FileType(), "a recording of the voice", group="voice")
    return [prompt_audio, emotion_audio(group="emotion")]


def request() -> Decorator[Any]:
    """The voice, emotion and seed, as `request: RequestOptions`."""
    voice = partial(option, group="voice")
    prompt_audio, recorded_emotion = recording_options()
    options = [
        prompt_audio,
        voice("--prompt-text TEXT", TextType(), "what is said in it"),
        voice("--voice NAME", TextType(voices), "a shipped voice prompt (default: the first one)"),
        voice("--no-prompt", None, "let the model choose a voice"),
        voice(
            "--voice-styles",
            None,
            "search all shipped recordings of the voice: each draws 2 candidates, the better half 4, and so "
            "on; the last one gets the whole search",
        ),
        voice(
            "--also-prompt WAV|TEXT",
            TextType(),
            "search this recording of your voice too; repeatable",
            into="also_prompts",
            multiple=True,
        ),
        language(group="voice"),
        option("--as-written", None, "numbers, signs and abbreviations are not read as words", group="voice"),
        emotion(group="emotion"),
        recorded_emotion,
        option(
            "--emotion-strength P|max",
            TextType(),
            "the probability that a label should have, 0.7 or so (default max: as likely as words and voice "
            "allow)",
            group="emotion",
        ),
        option(
            "--seed N", Whole(0, MAX_SEED), "same seed, same speech (default 0)", group="search", default=0
        ),
    ]
    return bundled("request", RequestOptions, options)


def outputs(default: Path) -> Decorator[Any]:
    """What is written of one search, as `files: Files`."""
    output = partial(option, group="outputs")
    options = [
        output("-o, --output WAV", FileType(), f"the winner (default {default})", default=default),
        json_file("scores, cost, and the manifest that `replay` makes it again from; - is stdout"),
        output("--candidates DIR", FileType(), "every candidate"),
        output("--trace FILE", FileType(), "each step, as JSON lines"),
        output("--report HTML", FileType(), "a page with the search tree, to look at and listen to"),
    ]
    return bundled("files", Files, options)


class _Recordings(Protocol):
    @property
    def prompt_audio(self) -> Path | None: ...
    @property
    def emotion_audio(self) -> Path | None: ...


def recordings(given: _Recordings) -> dict[str, Path | None]:
    """The recordings that are read, by option."""
    return {"--prompt-audio": given.prompt_audio, "--emotion-audio": given.emotion_audio}
