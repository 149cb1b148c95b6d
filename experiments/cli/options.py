"""Options that several commands share. Each group of them reaches its command as one frozen dataclass, and no object of
click goes further than this package."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
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


def option(*names: str, group: str, type: click.ParamType[Any] | None = None, **rest: Any) -> Decorator[Any]:
    """An option under a heading of the help."""
    return click.option(*names, cls=Option, group=group, type=type, **rest)


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


def request() -> Decorator[Any]:
    """The voice, emotion and seed, as `request: RequestOptions`."""
    prompt_audio, recorded_emotion = recording_options()
    return bundled(
        "request",
        RequestOptions,
        [
            prompt_audio,
            option(
                "--prompt-text", type=TextType(), metavar="TEXT", group="voice", help="what is said in it"
            ),
            option(
                "--voice",
                type=TextType(lambda: (voice.name for voice in shipped_voices())),
                metavar="NAME",
                group="voice",
                help="a shipped voice prompt (default: the first one)",
            ),
            option("--no-prompt", is_flag=True, group="voice", help="let the model choose a voice"),
            language("voice"),
            emotion("emotion"),
            recorded_emotion,
            option(
                "--seed",
                type=Whole(0, MAX_SEED),
                default=0,
                metavar="N",
                group="search",
                help="same seed, same speech (default 0)",
            ),
        ],
    )


def language(group: str) -> Decorator[Any]:
    return option(
        "--language",
        type=TextType(),
        default="en",
        metavar="CODE",
        group=group,
        help="of the text (default en)",
    )


def emotion(group: str) -> Decorator[Any]:
    return option(
        "--emotion",
        type=TextType(),
        metavar="LABEL",
        group=group,
        help="what emotion is judged against: happy ...",
    )


def emotion_audio(group: str) -> Decorator[Any]:
    return option(
        "--emotion-audio",
        type=FileType(),
        metavar="WAV",
        group=group,
        help="a recording of the emotion, in any voice",
    )


def recording_options() -> list[Decorator[Any]]:
    """--prompt-audio and --emotion-audio."""
    prompt_audio = option(
        "--prompt-audio", type=FileType(), metavar="WAV", group="voice", help="a recording of the voice"
    )
    return [prompt_audio, emotion_audio("emotion")]


class _Recordings(Protocol):
    @property
    def prompt_audio(self) -> Path | None: ...
    @property
    def emotion_audio(self) -> Path | None: ...


def recordings(given: _Recordings) -> dict[str, Path | None]:
    """The recordings that are read, by option."""
    return {"--prompt-audio": given.prompt_audio, "--emotion-audio": given.emotion_audio}


def outputs(default: Path) -> Decorator[Any]:
    """What is written of one search, as `files: Files`."""
    group = "outputs"
    return bundled(
        "files",
        Files,
        [
            option(
                "-o",
                "--output",
                type=FileType(),
                default=default,
                metavar="WAV",
                group=group,
                help=f"the winner (default {default})",
            ),
            json_file("scores, cost, and the manifest that `replay` makes it again from"),
            option("--candidates", type=FileType(), metavar="DIR", group=group, help="every candidate"),
            option("--trace", type=FileType(), metavar="FILE", group=group, help="each step, as JSON lines"),
            option(
                "--report",
                type=FileType(),
                metavar="HTML",
                group=group,
                help="a page with the search tree, to look at and listen to",
            ),
        ],
    )


def device(group: str) -> Decorator[Any]:
    return option(
        "--device",
        type=DeviceType(),
        default="cpu",
        metavar="NAME",
        group=group,
        help="cpu, cuda, cuda:1 ... (default cpu)",
    )


def verifier(text: str, group: str) -> Decorator[Any]:
    return option(
        "--verifier", "verifiers", type=TextType(kinds), multiple=True, metavar="SPEC", group=group, help=text
    )


def json_file(text: str, group: str = "outputs") -> Decorator[Any]:
    return option(
        "--json", type=FileType(stdout=True), metavar="FILE", group=group, help=f"{text}; - is stdout"
    )


def kinds() -> Iterable[str]:
    from verifiers.registry import kinds

    return kinds()
