"""Recipes: every one with every preset, and whatever is typed wins over them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.cli import main as cli
from experiments.cli.recipes import shipped
from experiments.config import Settings
from llasa_core.hub import switched
from llasa_core.presets import PRESETS
from search.emotion import HELD_OUT
from search.roles import whole
from verifiers import registry
from verifiers.spec import Spec

pytestmark = pytest.mark.processes
"""Whether funasr is there is found out by importing it, which starts some."""


class Found(Exception):
    """Carries the settings that a command would have searched with."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """The settings of a `synth` command, which loads nothing."""

    def no_device(self: Settings) -> None:
        raise Found(self)

    monkeypatch.setattr(Settings, "check_device", no_device)
    monkeypatch.setattr("experiments.cli.synth.announce_untrained_words", lambda *_: None)

    def call(*arguments: str) -> Settings:
        # the released models may be fetched, and nothing here does it
        with switched(True), pytest.raises(Found) as found:
            cli.main(["synth", "one bird", *arguments])
        return found.value.settings

    return call


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[[object], str]:
    def write(content: object) -> str:
        path = tmp_path / "mine.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return str(path)

    return write


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", sorted(shipped()))
@pytest.mark.processes
def test_every_recipe_searches_with_the_verifiers_of_the_preset(
    name: str, preset: str, settings: Callable[..., Settings], voice_file: Path
) -> None:
    clip = ("--emotion-audio", str(voice_file)) if "emotion" in name else ()
    emotion = ("--emotion", "happy") if name == "emotion" else clip
    found = settings("--preset", preset, "--recipe", name, *emotion)
    chosen = PRESETS[preset]
    known = set(map(whole, (*chosen.verifiers, *chosen.optional)))
    with_sources = {spec for spec in found.models.verifiers if Spec.parse(spec).source}
    assert found.models.verifiers
    assert {whole(spec) for spec in with_sources if spec != "signal"} <= known
    beside = found.models.judges[len(chosen.judges) :]
    assert found.models.judges == (*chosen.judges, *beside)
    assert set(beside) <= {spec for judges in HELD_OUT.values() for spec in judges}
    assert bool(beside) <= bool(emotion)
    if preset != "nano":
        assert not [spec for spec in found.models.verifiers if spec.endswith(":nano")]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.processes
def test_a_kind_alone_has_the_source_of_the_preset(preset: str, settings: Callable[..., Settings]) -> None:
    own = {Spec.parse(spec).kind: Spec.parse(spec).source for spec in PRESETS[preset].verifiers}
    found = settings(
        *("--preset", preset, "--verifier", "whisper?name=heard", "--verifier", "wavlm-sv:nano"),
        *("--judge", "hubert-ctc", "--select", "heard,sim"),
    )
    assert found.models.verifiers == (f"whisper:{own['whisper']}?name=heard", "wavlm-sv:nano")
    assert found.models.judges == PRESETS[preset].judges
    with switched(True):
        for spec in PRESETS[preset].optional:
            registry.check(spec)


@pytest.mark.parametrize(
    ("content", "typed", "wanted"),
    [
        ({"strategy": {"name": "adaptive", "n": 32}}, ["-n", "4"], {"name": "adaptive", "n": 4}),
        ({"strategy": "adaptive?n=32&first=2"}, ["-n", "4"], {"name": "adaptive", "n": 4, "first": 2}),
        (
            {"strategy": {"name": "beam", "n": 3, "select": "sim"}},
            ["--select", "wer"],
            {"n": 3, "select": "wer"},
        ),
        ({"strategy": {"name": "beam", "n": 3}}, ["--strategy", "dvts?n=2"], {"name": "dvts", "n": 2}),
        ({"strategy": "beam", "n": 5}, ["--strategy", "beam?n=2"], {"name": "beam", "n": 2}),
        ({"strategy": "beam", "n": 5}, ["--strategy", "beam"], {"name": "beam", "n": 5}),
        ({"strategy": "beam", "n": 5, "select": "sim"}, ["-n", "6"], {"n": 6, "select": "sim"}),
        ({"n": 5}, [], {"name": "best-of-n", "n": 5}),
        ("narration", ["-n", "4"], {"name": "adaptive", "n": 4}),
        ("paper-prm", ["-n", "2", "--select", "sim"], {"name": "beam", "n": 2, "beams": 16}),
    ],
)
def test_what_is_typed_replaces_what_the_recipe_says(
    content: object,
    typed: list[str],
    wanted: dict[str, Any],
    settings: Callable[..., Settings],
    recipe: Callable[[object], str],
) -> None:
    name = content if isinstance(content, str) else recipe(content)
    described = settings("--recipe", name, *typed).strategy.describe()
    assert {key: described[key] for key in wanted} == wanted


def test_options_that_exclude_each_other_are_replaced_too(
    settings: Callable[..., Settings], recipe: Callable[[object], str], voice_file: Path
) -> None:
    judged = recipe({"judge": ["hubert-ctc:nano"], "verifier": "whisper"})
    assert settings("--recipe", judged).models.judges == ("hubert-ctc:nano",)
    assert settings("--recipe", judged, "--no-judge").models.judges == ()
    without = recipe({"no-judge": True, "no-prompt": True, "verifier": ["whisper"]})
    assert settings("--recipe", without).models.judges == ()
    assert settings("--recipe", without, "--judge", "hubert-ctc").models.judges == ("hubert-ctc:nano",)
    assert settings("--recipe", without, "--voice", "kal").models.verifiers == ("whisper:nano",)
    own = ("--prompt-audio", str(voice_file), "--prompt-text", "a buzz")
    assert settings("--recipe", recipe({"voice": "kal"}), *own)
    assert settings("--recipe", recipe({"prompt_audio": str(voice_file), "prompt_text": "x"}), "--no-prompt")


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("device", [["cpu"], "gpu", "meta", 5, {"a": 1}]),
        ("preset", [{"a": "b"}, 5, ["nano"], True]),
        ("seed", ["2020-99-99", -1, 1.5, [1], True, "x", 10**30]),
        ("strategy", [5, [], {}, {5: 6, "name": "beam"}, {"name": 5}, True]),
        ("budget", [5, [1], {}, {"tokens": [1]}, {"tokens": True}, {"tokens": 1.5}, {"flops": "many"}]),
        ("verifier", [5, {"a": "b"}, [5], [["whisper"]], [None], True]),
        ("judge", [5, {"a": "b"}, [5]]),
        ("temperature", [[1], "hot", True, float("inf"), -1, {"a": 1}]),
        ("voice", [["a"], 5, False]),
        ("prompt_text", [5, ["a"], False]),
        ("no_prompt", [5, "yes", [True]]),
        ("top-k", [1.5, "many", -1, [2]]),
        ("n", [0, -1, 1.5, "4x", 10**9, [4], True]),
        ("max_seconds", [float("nan"), 0, "long", [1]]),
        ("memory", [0, float("inf"), 1e300, "all"]),
        ("ray", [0, -1, [2], "some", 10**8, True, 1.5]),
        ("output", ["x.wav"]),
        ("recipe", ["narration"]),
        ("limit", [3]),
        ("colour", ["red"]),
    ],
)
def test_a_value_of_another_kind_is_one_line_that_names_it(
    key: str, values: list[object], recipe: Callable[[object], str], capsys: pytest.CaptureFixture[str]
) -> None:
    for value in values:
        path = recipe({key: value})
        assert cli.main(["synth", "one bird", "--recipe", path]) == 2, value
        shown = capsys.readouterr()
        assert shown.out == "" and shown.err.count("\n") == 1 and shown.err.startswith("error: "), value
        assert key in shown.err or key.replace("_", "-") in shown.err, (value, shown.err)
        assert len(shown.err) - len(path) < 500


def test_a_contradiction_within_a_recipe_is_still_one(
    recipe: Callable[[object], str], capsys: pytest.CaptureFixture[str]
) -> None:
    content = {"strategy": {"name": "beam", "n": 3}, "n": 5}
    assert cli.main(["synth", "one bird", "--recipe", recipe(content)]) == 2
    assert "-n 5 contradicts n=3 of the strategy beam" in capsys.readouterr().err
