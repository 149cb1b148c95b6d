"""DNSMOS and UTMOS: windows and polynomials as in the reference, batches, strictness, devices."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llasa_core.audio import SAMPLE_RATE, Waveform
from llasa_core.errors import UserError
from tests.verifiers.models.tiny_speech import write_dnsmos, write_utmos
from tests.verifiers.tiny_verifiers import speechlike
from verifiers.base import Target, Verifier
from verifiers.errors import VerifierError
from verifiers.models import dnsmos
from verifiers.models.dnsmos import open_session, split
from verifiers.registry import check, directions, load

TARGET = Target()
SILENT: Waveform = np.zeros(16_000, np.float32)
BROKEN: Waveform = np.full(16_000, np.nan, np.float32)
WAVES = [speechlike(seconds, seed) for seed, seconds in enumerate((0.6, 5.0, 9.01, 0.6, 12.3, 20.0, 9.5))]


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dnsmos(tmp_path_factory.mktemp("models") / "sig_bak_ovr.onnx")


@pytest.fixture(scope="module")
def jit_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_utmos(tmp_path_factory.mktemp("models") / "utmos.jit")


@pytest.fixture(params=["dnsmos", "utmos"])
def spec(request: pytest.FixtureRequest, onnx_file: Path, jit_file: Path) -> str:
    return f"dnsmos:{onnx_file}?batch=3" if request.param == "dnsmos" else f"utmos:{jit_file}?batch=3"


def reference_dnsmos(file: Path, audio: Waveform) -> tuple[float, float, float, int]:
    """(sig, bak, ovrl, windows) step by step as in dnsmos_local.py."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    fs, length = 16_000, 9.01
    samples = int(length * fs)
    while len(audio) < samples:
        audio = np.append(audio, audio)
    found = []
    for index in range(int(np.floor(len(audio) / fs) - length) + 1):
        window = audio[int(index * fs) : int((index + length) * fs)]
        if len(window) < samples:
            continue
        sig, bak, ovr = session.run(None, {"input_1": window.astype("float32")[np.newaxis]})[0][0]
        found.append(
            (
                np.poly1d([-0.08397278, 1.22083953, 0.0052439])(sig),
                np.poly1d([-0.13166888, 1.60915514, -0.39604546])(bak),
                np.poly1d([-0.06766283, 1.11546468, 0.04602535])(ovr),
            )
        )
    sig, bak, ovr = np.mean(found, axis=0)
    return float(sig), float(bak), float(ovr), len(found)


def test_dnsmos_is_that_of_the_reference(onnx_file: Path) -> None:
    found = load(f"dnsmos:{onnx_file}").score(WAVES, TARGET)
    assert [s.evidence["windows"] for s in found] == [1, 1, 1, 1, 3, 7, 1]
    for wave, score in zip(WAVES, found, strict=True):
        sig, bak, ovrl, windows = reference_dnsmos(onnx_file, wave)
        expected = {"sig": sig, "bak": bak, "ovrl": ovrl, "windows": windows}
        assert {name: score.evidence[name] for name in expected} == pytest.approx(expected, abs=1e-5)
        assert score.value == score.evidence["ovrl"]
    assert len({round(s.value, 4) for s in found}) == len(WAVES)


@pytest.mark.parametrize("seconds", [0.5, 4.6, 9.0, 9.01, 10.0, 16.5, 30.0, 45.2])
def test_windows_are_those_of_the_reference(seconds: float) -> None:
    audio = np.arange(int(seconds * SAMPLE_RATE), dtype=np.float32)
    full = audio
    while len(full) < 144_160:
        full = np.append(full, full)
    count = int(np.floor(len(full) / SAMPLE_RATE) - 9.01) + 1
    ends = [int((index + 9.01) * SAMPLE_RATE) - index * SAMPLE_RATE for index in range(count)]
    starts = [index for index, length in enumerate(ends) if length == 144_160]
    found = split(audio)
    assert found.shape == (len(starts), 144_160)
    assert [float(window[0]) for window in found] == [float(full[index * SAMPLE_RATE]) for index in starts]


def test_a_fixed_batch_axis_gives_the_same(onnx_file: Path, tmp_path: Path) -> None:
    judges: list[Verifier] = [load(f"dnsmos:{onnx_file}")]
    for rows in (1, 4):
        judges.append(load(f"dnsmos:{write_dnsmos(tmp_path / f'{rows}.onnx', rows)}?batch=16"))
    found = [[score.value for score in judge.score(WAVES, TARGET)] for judge in judges]
    assert found[1] == pytest.approx(found[0], abs=1e-5)
    assert found[2] == pytest.approx(found[0], abs=1e-5)


def test_where_onnxruntime_has_no_gpu_dnsmos_runs_on_the_cpu(
    onnx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the extra installs has none; the other models of the search are on the GPU all the same."""
    import onnxruntime

    monkeypatch.setattr(dnsmos, "check_device", lambda device: None)
    assert "CUDAExecutionProvider" not in onnxruntime.get_available_providers()
    assert open_session(onnx_file, "cuda:1").get_providers() == ["CPUExecutionProvider"]
    asked: list[Any] = []
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda model, options, providers: asked.extend(providers) or real(model, options),
    )
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    open_session(onnx_file, "cuda:1")
    assert asked == [("CUDAExecutionProvider", {"device_id": 1})]


def test_other_onnx_files_are_refused(tmp_path: Path) -> None:
    for options in ({"name": "input"}, {"samples": 16_000}, {"outputs": 2}):
        file = write_dnsmos(tmp_path / "other.onnx", **options)  # type: ignore[arg-type]
        with pytest.raises(VerifierError, match=r"is another model .*input_1 \[windows, 144160\]"):
            load(f"dnsmos:{file}")
    (tmp_path / "other.onnx").write_bytes(b"ONNX")
    with pytest.raises(VerifierError, match=r"cannot load .*other\.onnx") as caught:
        load(f"dnsmos:{tmp_path / 'other.onnx'}")
    assert "\n" not in str(caught.value)


def test_a_truncated_onnx_file_is_refused(onnx_file: Path, tmp_path: Path) -> None:
    """Its weights are missing."""
    import onnx

    model = onnx.load(str(onnx_file))
    del model.graph.initializer[1]
    (tmp_path / "part.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(VerifierError, match="cannot load"):
        load(f"dnsmos:{tmp_path / 'part.onnx'}")


def test_the_folder_of_a_file_is_enough(onnx_file: Path, jit_file: Path) -> None:
    assert check(f"dnsmos:{onnx_file.parent}").source == str(onnx_file.parent)
    assert check(f"utmos:{jit_file.parent}").source == str(jit_file.parent)
    assert directions("dnsmos:x", "utmos:x?name=mos2") == {"mos": True, "mos2": True}


@pytest.mark.skipif(torch.cuda.is_available(), reason="with CUDA the device in the file exists")
def test_utmos_runs_on_another_device_than_it_was_traced_on(jit_file: Path, tmp_path: Path) -> None:
    samples = torch.from_numpy((WAVES[0] * 32768).round().astype(np.int16))[None]
    with pytest.raises(RuntimeError, match=r"cuda|CUDA"):
        torch.jit.load(str(jit_file), map_location="cpu")(samples)  # type: ignore[no-untyped-call]
    there = write_utmos(tmp_path / "cpu.jit", device="cpu")
    with torch.no_grad():
        expected = torch.jit.load(str(there))(samples)  # type: ignore[no-untyped-call]
    found = load(f"utmos:{jit_file}").score([WAVES[0]], TARGET)[0]
    assert found.value == pytest.approx(float(expected), abs=1e-5)
    with pytest.raises(UserError, match='device "cuda" cannot be used'):
        load(f"utmos:{jit_file}", device="cuda")


def test_utmos_hears_the_samples_of_a_16_bit_file(jit_file: Path) -> None:
    seen: list[torch.Tensor] = []

    class Ear(torch.nn.Module):
        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            seen.append(samples)
            return torch.zeros(len(samples))

    from verifiers.models.utmos import UTMOS

    whole = np.random.default_rng(0).integers(-32768, 32768, 16_000).astype(np.int16)
    UTMOS(Ear(), "cpu", spec="utmos:x").score([(whole / 32768).astype(np.float32)], TARGET)
    assert seen[0].dtype == torch.int16
    assert np.array_equal(seen[0][0].numpy(), whole)


def test_other_torchscript_files_are_refused(jit_file: Path, tmp_path: Path) -> None:
    with pytest.raises(VerifierError, match=r"is another model \(it gives \(2, 2\) for 2 waveforms"):
        load(f"utmos:{write_utmos(tmp_path / 'two.jit', scores=2)}")
    (tmp_path / "broken.jit").write_bytes(jit_file.read_bytes()[:2000])
    with pytest.raises(VerifierError, match="cannot load") as caught:
        load(f"utmos:{tmp_path / 'broken.jit'}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("dnsmos:./nowhere.onnx", "nowhere.onnx does not exist"),
        ("utmos", "no UTMOS is packaged"),
        ("utmos:./nowhere.jit", "nowhere.jit does not exist"),
        ("utmos:balacoon/utmos", "not in the local cache"),
    ],
)
def test_bad_specs_are_answered_before_anything_is_loaded(
    spec: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(VerifierError, match=says) as caught:
        check(spec)
    assert "\n" not in str(caught.value)


def test_without_onnxruntime_the_answer_is_the_command(
    onnx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(VerifierError, match=r"needs onnxruntime.*pip install 'llasa-search\[mos\]'"):
        check(f"dnsmos:{onnx_file}")


def test_checking_a_spec_imports_no_model_library(onnx_file: Path, jit_file: Path) -> None:
    code = (
        "import sys, verifiers\n"
        f"verifiers.check('dnsmos:{onnx_file}'); verifiers.check('utmos:{jit_file}'); "
        "verifiers.load('signal')\n"
        "print(sorted({'torch', 'onnxruntime', 'funasr', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
