"""The benchmark of verifiers: what it measures, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.bench import verifiers as bench_verifiers
from llasa_core.voices import shipped_voices
from tests.verifiers.tiny_verifiers import write_wavlm, write_whisper


def test_candidates_are_cut_by_the_seed() -> None:
    voices = shipped_voices()
    equal = bench_verifiers.cut(voices, 5, 1.0, seed=3)
    assert [len(candidate) for candidate in equal] == [16_000] * 5
    again = bench_verifiers.cut(voices, 5, 1.0, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(equal, again, strict=True))
    assert not np.array_equal(equal[0], bench_verifiers.cut(voices, 5, 1.0, seed=4)[0])
    ragged = bench_verifiers.cut(voices, 50, 1.0, seed=3, ragged=True)
    lengths = {len(candidate) for candidate in ragged}
    assert len(lengths) > 20
    assert all(length % 320 == 0 and 8_000 <= length <= 24_000 for length in lengths)


@pytest.mark.models
def test_it_measures_both_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [f"whisper:{write_whisper(tmp_path / 'w')}", f"wavlm-sv:{write_wavlm(tmp_path / 's')}"]
    out = tmp_path / "speeds.json"
    monkeypatch.setenv("COLUMNS", "250")
    given = [part for spec in specs for part in ("--verifier", spec)]
    settings = ["--count", "3", "--seconds", "0.6", "--threads", "1", "--seed", "7", "--pairs", "3"]
    assert bench_verifiers.main([*given, *settings, "--json", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "n=3 candidates of 0.6 s, seed 7, cpu, 1 threads" in shown
    found = json.loads(out.read_text())
    assert found["settings"]["audio"] == pytest.approx(3 * 0.6, abs=0.06)
    assert [speed["spec"] for speed in found["speeds"]] == specs
    for speed in found["speeds"]:
        assert speed["spec"] in shown
        assert len(speed["ratios"]) == 3
        assert speed["batched"] > 0 and speed["single"] > 0
        assert speed["difference"] < 1e-5
        assert speed["unusable"] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--count", "0"], "--count 0"),
        (["--pairs", "0"], "--pairs 0"),
        (["--seconds", "0"], "--seconds 0"),
        (["--seconds", "nan"], "--seconds nan"),
        (["--threads", "-1"], "--threads -1"),
        (["--device", "warp"], "warp"),
        (["--verifier", "wisper"], "did you mean 'whisper'"),
    ],
)
def test_bad_input(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_verifiers.main(arguments) == 2
    assert says in capsys.readouterr().err
