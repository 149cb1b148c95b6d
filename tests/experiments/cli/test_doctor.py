"""`doctor`: what it says of this machine, and its exit code."""

import pytest

from experiments.cli import doctor
from experiments.cli import main as cli
from llasa_core.lm.self_check import Check


@pytest.mark.models
def test_a_machine_without_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Python 3") and "torch 2" in said[0]
    assert said[1].startswith("cpu: ")
    (check,) = (line for line in said if "compiled attention on cpu" in line)
    assert check.startswith("ok: ") and "plain operations by" in check
    lacking = {line.split(":")[0]: line for line in said[-4:]}
    assert lacking["nano"].startswith("nano: complete: has generator nano/generator (packaged), codec ")
    assert "verifier wavlm-sv:nano (packaged)" in lacking["nano"]
    for part in ("generator HKUSTAudio/Llasa-1B (from the hub)", "codec HKUSTAudio/xcodec2-hf"):
        assert part in lacking["llasa-1b"]


@pytest.mark.parametrize(("asked", "passed"), [("0", True), ("1", False)])
def test_kernels_are_missed_only_where_they_are_wanted(
    asked: str, passed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLASA_SEARCH_KERNELS", asked)
    check = doctor.without_kernels()
    assert check.passed is passed and ("LLASA_SEARCH_KERNELS=0" in check.detail) is passed


def test_a_check_that_fails_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "checks", lambda device: [Check("recorded steps", False, "0% are the same")])
    assert cli.main(["doctor"]) == 1
    assert "FAILED: recorded steps on cpu: 0% are the same" in capsys.readouterr().out


def test_a_device_that_is_not_there_is_an_error_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--device", "cuda:77"]) == 2
    assert 'device "cuda:77" cannot be used' in capsys.readouterr().err.splitlines()[-1]
