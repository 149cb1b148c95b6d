"""`synth` with strategies, recipes, budgets and a page, and `replay`: tiny models of the real classes."""

import json
from pathlib import Path

import pytest
import yaml

from experiments.cli import main as cli
from experiments.cli.recipes import FOLDER, shipped
from llasa_core.audio import read_audio, write_audio
from search.strategies.registry import built_in
from verifiers import registry


@pytest.fixture
def command(voice_file: Path, tiny_generator: Path, tiny_codec: Path, tmp_path: Path) -> list[str]:
    return [
        "synth",
        "Seven birds in 2 trees.",
        *("--prompt-audio", str(voice_file), "--prompt-text", "a buzz"),
        *("--generator", str(tiny_generator), "--codec", str(tiny_codec)),
        *("--verifier", "crossings", "--verifier", "level", "--judge", "crossings:held-out"),
        *("--max-seconds", "2", "-o", str(tmp_path / "out.wav"), "--json", str(tmp_path / "result.json")),
    ]


def result(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "result.json").read_text())


@pytest.mark.usefixtures("plain_kinds")
@pytest.mark.parametrize("name", built_in())
def test_one_word_changes_the_strategy_and_replay_makes_it_again(
    name: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*command, "--strategy", name]) == 0
    found = result(tmp_path)
    assert found["manifest"]["strategy"]["name"] == name
    again = tmp_path / "again.wav"
    again_of = ["replay", str(tmp_path / "result.json"), "-o", str(again)]
    assert cli.main(again_of) == 2
    assert "crossings:held-out of the manifest has no recorded content" in capsys.readouterr().err
    assert cli.main([*again_of, "--trust"]) == 0
    assert "the same, sample for sample" in capsys.readouterr().out
    assert again.read_bytes() == (tmp_path / "out.wav").read_bytes()


@pytest.mark.usefixtures("plain_kinds")
def test_trace_and_page_show_every_branch(command: list[str], tmp_path: Path) -> None:
    trace, page = tmp_path / "trace.jsonl", tmp_path / "page.html"
    spec = "partial-prm?beams=2&n=2&seconds=0.5"
    assert cli.main([*command, "--strategy", spec, "--trace", str(trace), "--report", str(page)]) == 0
    steps = [json.loads(line) for line in trace.read_text().splitlines()]
    assert steps == result(tmp_path)["trace"]
    grown = [step for step in steps if step["ask"] == "extend"]
    assert len(grown) == 2 and all(len(step["nodes"]) <= 4 for step in grown)
    assert "<svg" in page.read_text() and "Seven birds in 2 trees." in page.read_text()


@pytest.mark.usefixtures("plain_kinds")
def test_a_recipe_sets_options_and_the_command_line_wins(command: list[str], tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    settings = {
        "strategy": {"name": "beam", "beams": 2, "n": 2},
        "seed": 7,
        "verifier": ["level"],
        "top-p": 0.8,
    }
    recipe.write_text(yaml.safe_dump(settings))
    assert cli.main([*command, "--recipe", str(recipe), "--seed", "3"]) == 0
    manifest = result(tmp_path)["manifest"]
    assert manifest["strategy"]["name"] == "beam"
    assert manifest["request"]["seed"] == 3
    assert manifest["models"]["sampling"]["top_p"] == 0.8
    assert [entry["spec"] for entry in manifest["models"]["verifiers"]] == ["crossings", "level"]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_recipes_can_be_read(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything but speaking: specs exist, the strategy builds from what they measure."""
    from search.strategies.registry import build

    recipe = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    for spec in recipe["verifier"]:
        registry.check(spec)
    assert build(recipe["strategy"], registry.directions(*recipe["verifier"])).describe()
    assert cli.main(["synth", "--recipe", name, "--help"]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.usefixtures("plain_kinds")
def test_a_budget_is_kept_and_reported(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*command, "-n", "6", "--budget", "candidates=2,tokens=100000"]) == 0
    assert "stopped: the budget of 2 candidates is spent" in capsys.readouterr().out
    assert len(result(tmp_path)["candidates"]) == 2


@pytest.mark.usefixtures("plain_kinds")
@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["--strategy", "beem"], "did you mean 'beam'"),
        (["--strategy", "beam?beam=3"], "did you mean 'beams'"),
        (["--strategy", "beam?n=3", "-n", "4"], "contradicts n=3"),
        (["--strategy", "particle", "-n", "4"], "no option 'n'"),
        (["--budget", "tokns=4"], "did you mean 'tokens'"),
        (["--budget", "tokens"], "write it as tokens=5000"),
        (["--budget", "tokens=no"], "give a whole number"),
        (["--budget", "tokens=0"], "whole number from 1"),
        (["--budget", "seconds=0"], "more than 0"),
        (["--recipe", "narratoin"], "did you mean 'narration'"),
        (["--recipe", "none/such.yaml"], "--recipe none/such.yaml does not exist"),
    ],
)
def test_bad_options_are_answered_in_one_line(
    options: list[str], answer: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*command, *options]) == 2
    shown = capsys.readouterr()
    assert answer in shown.err and shown.err.count("\n") == 1
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.usefixtures("plain_kinds")
def test_replay_refuses_what_has_changed(
    command: list[str], tmp_path: Path, voice_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*command, "-n", "2"]) == 0
    manifest = tmp_path / "result.json"
    other = tmp_path / "other.wav"
    write_audio(other, read_audio(voice_file) * 0.5)
    for change, answer in (
        (["--prompt-audio", str(other)], "another one than the manifest's"),
        (["-o", str(tmp_path / "x.mp3")], "ends in .wav"),
    ):
        assert cli.main(["replay", str(manifest), *change]) == 2
        assert answer in capsys.readouterr().err
    found = result(tmp_path)
    found["manifest"]["models"]["codec"]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(found))
    assert cli.main(["replay", str(manifest)]) == 2
    assert "its content has changed" in capsys.readouterr().err
    manifest.write_text("{}")
    assert cli.main(["replay", str(manifest)]) == 2
    assert "the manifest lacks request" in capsys.readouterr().err
    found["manifest"]["models"]["codec"] = {"source": str(voice_file.parent), "sha256": "0" * 64}
    manifest.write_text(json.dumps(found))
    for trust, answer in (([], "if you trust where it comes from"), (["--trust"], "has no config.json")):
        assert cli.main(["replay", str(manifest), *trust]) == 2
        assert answer in capsys.readouterr().err
