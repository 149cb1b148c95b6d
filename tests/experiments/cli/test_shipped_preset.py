"""`synth` with the nano preset as users have it: released verifiers and judges where they are installed."""

import json
from pathlib import Path

import pytest

from experiments.cli import main as cli
from search.roles import roles

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("shipped_preset")]


def test_it_searches_and_judges_by_what_the_preset_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "out.wav", tmp_path / "result.json"
    text = "The morning train is late again."
    assert cli.main(["synth", text, "-n", "2", "-o", str(out), "--json", str(report)]) == 0
    shown = capsys.readouterr()
    expected = roles("nano")
    result = json.loads(report.read_text())
    models = result["manifest"]["models"]
    assert [one["spec"] for one in models["verifiers"]] == list(expected.verifiers)
    assert [one["spec"] for one in models["judges"]] == list(expected.judges)
    winner = result["candidates"][result["winner"]]
    assert set(winner["scores"]) == {"wer", "sim"} and set(winner["judged"]) == set(expected.judges)
    assert all(score["usable"] for score in (*winner["scores"].values(), *winner["judged"].values()))
    assert winner["scores"]["wer"]["evidence"]["words"] == len(text.split())
    searched = f"searched by {', '.join(expected.verifiers)}; judged by {', '.join(expected.judges)}"
    assert searched in " ".join(shown.out.split())
    assert ("not installed" in shown.err) is bool(expected.lacking)
