"""The soak and the benchmark of Ray: bad input, and small ones with real actors."""

import json
from pathlib import Path

import pytest

from experiments.bench import ray as bench_ray
from experiments.bench import soak


@pytest.mark.parametrize(
    "options",
    [["--utterances", "0"], ["--utterances", "401"], ["--kill-every", "0"], ["--kill-every", "nan"]],
)
def test_bad_input(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--out", str(tmp_path / "soak"), *options]) == 2
    assert capsys.readouterr().err.startswith("error: ") and not (tmp_path / "soak").exists()


@pytest.mark.parametrize("options", [["--pairs", "0"], ["-n", "0"], ["--pairs", "200", "--utterances", "4"]])
def test_bad_input_of_the_benchmark(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_ray.main(options) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_the_trend_compares_late_with_early() -> None:
    assert soak.trend([9, 9, 100, 100, 7, 7, 7, 7, 150, 150]) == (
        "100 MiB in the second fifth of the time, 150 in the last (+50.0%)"
    )
    assert soak.trend([1.0] * 9) == "too few looks"


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.processes
def test_a_short_soak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--utterances", "8", "--kill-every", "8", "--in-flight", "4", "--strategy", "best-of-n?n=8"]
    assert soak.main(["--out", str(tmp_path), *options]) == 0
    printed = capsys.readouterr().out
    assert "8 of 8 utterances" in printed and "0 failed, 8 with the tokens of a run in one process" in printed
    looks = [json.loads(line) for line in (tmp_path / "soak.jsonl").read_text().splitlines()]
    assert looks and min(look["driver"] for look in looks) > 50 and max(look["actors"] for look in looks) > 50


@pytest.mark.slow
@pytest.mark.ray
def test_a_short_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        bench_ray.main(["--actors", "1", "--pairs", "2", "--utterances", "1", "-n", "2", "--threads", "1"])
        == 0
    )
    assert "1 actor of 1 thread against this process with 1: " in capsys.readouterr().out
