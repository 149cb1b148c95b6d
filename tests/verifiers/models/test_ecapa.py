"""speechbrain's ECAPA-TDNN: loading without a network, batches, what is refused, what is left as it was."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.verifiers.models.tiny_ecapa import SETTINGS, shapes, write_ecapa
from tests.verifiers.tiny_verifiers import speechlike
from verifiers.base import Target
from verifiers.errors import VerifierError
from verifiers.models.ecapa import RELEASED, WEIGHTS, EcapaSpeaker
from verifiers.registry import check, load

REFERENCE = speechlike(2.0, seed=9)
TARGET = Target(reference=REFERENCE)
State = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ecapa(tmp_path_factory.mktemp("models") / "ecapa")


@pytest.fixture(scope="module")
def speaker(folder: Path) -> EcapaSpeaker:
    verifier = load(f"ecapa:{folder}?batch=2")
    assert isinstance(verifier, EcapaSpeaker)
    return verifier


def test_it_is_the_cosine_of_speechbrains_embeddings(folder: Path, speaker: EcapaSpeaker) -> None:
    from speechbrain.lobes.features import Fbank
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

    network = ECAPA_TDNN(80, lin_neurons=12, channels=[16, 16, 16, 16, 48], attention_channels=8).eval()
    network.load_state_dict(torch.load(folder / WEIGHTS), strict=True)
    wave = speechlike(1.3)
    with torch.no_grad():
        a, b = (
            network(features - features.mean(1, keepdim=True))[0, 0]
            for features in (Fbank(n_mels=80)(torch.from_numpy(audio)[None]) for audio in (wave, REFERENCE))
        )
    found, same = speaker.score([wave, REFERENCE], TARGET)
    assert found.value == pytest.approx(float(torch.cosine_similarity(a, b, dim=0)), abs=1e-5)
    assert found.evidence.items() >= {"seconds": 1.3, "reference_seconds": 2.0}.items()
    assert same.value == pytest.approx(1.0, abs=1e-6)
    assert (speaker.name, speaker.higher_is_better, speaker.min_seconds) == ("sim", True, 0.5)


def test_the_released_model_has_the_names_that_are_written_here() -> None:
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

    network = ECAPA_TDNN(80, lin_neurons=12, channels=[16, 16, 16, 16, 48], attention_channels=8)
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == shapes()


def test_sim_r(folder: Path, speaker: EcapaSpeaker) -> None:
    verifier = load(f"ecapa:{folder}?reference=resynthesis")
    wave = speechlike(1.0)
    assert verifier.name == "sim-r"
    found = verifier.score([wave], Target(resynthesis=REFERENCE))[0].value
    assert found == pytest.approx(speaker.score([wave], TARGET)[0].value, abs=1e-6)


def renamed(state: State) -> None:
    state["fc.conv.weights"] = state.pop("fc.conv.weight")


def missing(state: State) -> None:
    del state["blocks.2.res2net_block.blocks.3.norm.norm.running_mean"]


def cut(state: State) -> None:
    state["fc.conv.bias"] = state["fc.conv.bias"][:-1].clone()


def emptied(state: State) -> None:
    state.clear()


def no_tensors(state: State) -> None:
    state["fc.conv.bias"] = [0.0] * 12


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (renamed, "missing: fc.conv.weight; unexpected: fc.conv.weights"),
        (missing, "missing: blocks.2.res2net_block.blocks.3.norm.norm.running_mean"),
        (cut, "of another shape: fc.conv.bias"),
        (emptied, "missing: asp.conv.conv.bias"),
        (no_tensors, "holds no weights"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    edit: Callable[[State], None], says: str, folder: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "model"))
    state = torch.load(copy / WEIGHTS)
    edit(state)
    torch.save(state, copy / WEIGHTS)
    with pytest.raises(VerifierError, match=says) as caught:
        load(f"ecapa:{copy}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (
            "hyperparams.yaml",
            SETTINGS.replace("n_mels: !ref", "sample_rate: 8000\n    n_mels: !ref", 1),
            "8000 Hz",
        ),
        ("hyperparams.yaml", SETTINGS.replace("mean_var_norm:", "others:"), "mean_var_norm is no !new:"),
        ("hyperparams.yaml", "{", "cannot load"),
        ("embedding_model.ckpt", "no checkpoint", "cannot read"),
        ("embedding_model.ckpt", None, "lacks embedding_model.ckpt"),
        ("hyperparams.yaml", None, "lacks hyperparams.yaml"),
    ],
)
def test_incomplete_and_damaged_folders_are_refused(
    file: str, text: str | None, says: str, folder: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "model"))
    (copy / file).unlink()
    if text is not None:
        (copy / file).write_text(text)
    with pytest.raises(VerifierError, match=says) as caught:
        load(f"ecapa:{copy}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("ecapa", "there is no packaged ecapa model"),
        ("ecapa:./nowhere", "not found"),
        (f"ecapa:{__file__}", "is a file"),
        ("ecapa:speechbrain/not-in-the-cache", "not in the local cache"),
        ("ecapa:./nowhere?batch=0", "batch=0 of ecapa"),
    ],
)
def test_bad_specs_are_answered_before_anything_is_loaded(
    spec: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(VerifierError, match=says):
        check(spec)


def python(code: str, **environment: str) -> str:
    """What another interpreter prints; fails unless it ends well and says nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_the_first_import_of_speechbrain_changes_nothing_either(folder: Path) -> None:
    code = f"""
import logging, os, sys, torch, transformers
logging.basicConfig(stream=sys.stdout, format="log: %(message)s")
from tests.verifiers.models.test_ecapa import TARGET, check, load, speechlike
from tests.verifiers.shared.test_isolation import caller_state

def state():
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn
    kept = {{k: v for k, v in os.environ.items() if k.startswith("SB_")}}
    precision = torch.get_float32_matmul_precision()
    return matmul, cudnn.allow_tf32, cudnn.benchmark, precision, kept, caller_state()

before = state()
check("ecapa:{folder}")
assert "speechbrain" not in sys.modules
verifier = load("ecapa:{folder}")
assert "speechbrain" in sys.modules
assert state() == before
verifier.score([speechlike(1.0)], TARGET)
assert state() == before
assert all(getattr(module, "__file__", None) is not False for module in list(sys.modules.values()))
assert torch._C._jit_set_profiling_executor(True) and torch._C._jit_set_profiling_mode(True)
print("unchanged")
"""
    assert python(code) == "unchanged"


def test_a_hub_model_is_loaded_from_the_cache(folder: Path, speaker: EcapaSpeaker, tmp_path: Path) -> None:
    cached = tmp_path / "hub" / f"models--{RELEASED.replace('/', '--')}"
    commit = "5c0be3875fda05e81f3c004ed8c7c06be308de1e"
    shutil.copytree(folder, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    code = f"""
from tests.verifiers.models.test_ecapa import TARGET, load, speechlike
print(load("ecapa:{RELEASED}").score([speechlike(1.0)], TARGET)[0].value)
"""
    found = float(python(code, HF_HOME=str(tmp_path)))
    assert found == pytest.approx(speaker.score([speechlike(1.0)], TARGET)[0].value, abs=1e-6)


@pytest.mark.parametrize("hidden", ["speechbrain", "torchaudio"])
def test_without_the_extra_all_else_works_and_the_command_is_named(
    hidden: str, folder: Path, wavlm_folder: Path
) -> None:
    code = f"""
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == {hidden!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
import verifiers
for ask in (verifiers.check, verifiers.load):
    try:
        ask("ecapa:{folder}")
    except verifiers.VerifierError as error:
        print(error)
assert verifiers.directions("ecapa") == {{"sim": True}}
assert "torch" not in sys.modules
from tests.verifiers.tiny_verifiers import speechlike
wave = speechlike(1.0)
score = verifiers.load("wavlm-sv:{wavlm_folder}").score([wave], verifiers.Target(reference=wave))[0]
print(round(score.value, 4))
"""
    line = f"ecapa needs {hidden}, not installed here: pip install 'llasa-search[speechbrain]'"
    assert python(code).splitlines() == [line, line, "1.0"]
