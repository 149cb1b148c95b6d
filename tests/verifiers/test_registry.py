"""Spec strings, the lazy registry, entry points, suggestions."""

import subprocess
import sys
from pathlib import Path

import pytest

import verifiers
from verifiers.errors import VerifierError
from verifiers.models.whisper_model import OFFICIAL
from verifiers.registry import check, directions, load
from verifiers.spec import Spec


@pytest.mark.processes
def test_importing_verifiers_alone_imports_no_model_library() -> None:
    """In a process of its own. What each module of the package imports at its top is in this."""
    code = (
        "import pkgutil, sys, verifiers\n"
        "heavy = {'torch', 'transformers', 'funasr', 'speechbrain', 'whisper', 'onnxruntime'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "for module in pkgutil.iter_modules(verifiers.__path__, 'verifiers.'):\n"
        "    if not module.name.endswith('_model'):  # those are the networks themselves\n"
        "        __import__(module.name)\n"
        "        print(module.name, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "[]"
    assert len(lines) > 10
    assert [line for line in lines if not line.endswith("[]")] == []


def test_importing_verifiers_and_checking_specs_imports_no_model_library(whisper_folder: Path) -> None:
    code = (
        "import sys, verifiers, verifiers.selection.parse, verifiers.stats, verifiers.shared.wer, "
        "verifiers.catalogue\n"
        f"verifiers.check('whisper:{whisper_folder}'); verifiers.directions(*verifiers.kinds())\n"
        "verifiers.catalogue.describe()\n"
        "heavy = {'torch', 'transformers', 'whisper', 'torchaudio', 'tiktoken', 'funasr', 'speechbrain',\n"
        "         'onnxruntime'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("whisper", Spec("whisper", "nano", {})),
        ("whisper:large-v3", Spec("whisper", "large-v3", {})),
        ("wavlm-sv:some-body/sv.base?batch=8", Spec("wavlm-sv", "some-body/sv.base", {"batch": "8"})),
        ("hubert-ctc:/a/b?name=wer-h&batch=2", Spec("hubert-ctc", "/a/b", {"batch": "2", "name": "wer-h"})),
        ("whisper?batch=1", Spec("whisper", "nano", {"batch": "1"})),
    ],
)  # fmt: skip
def test_specs_are_read_and_written_back(text: str, spec: Spec) -> None:
    assert Spec.parse(text) == spec
    assert Spec.parse(str(spec)) == spec


@pytest.mark.parametrize("text", ["", ":nano", "whisper?batch", "whisper?batch=1&batch=2", "whi sper"])
def test_what_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(VerifierError):
        Spec.parse(text)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("wisper", "unknown verifier 'wisper': did you mean 'whisper'"),
        ("hubert", "did you mean 'hubert-ctc'"),
        ("whisper?batsh=2", "no option 'batsh': did you mean 'batch'"),
        ("whisper?batch=0", "batch=0 of whisper: has to be a whole number"),
        ("whisper?normalizer=none", "has to be one of spoken, seed-tts-eval, f5, whisper"),
        ("whisper:large-v33", "did you mean 'large-v3'"),
        ("whisper:openai/whisper-tiny", "nor a model of openai-whisper: did you mean 'tiny'"),
        ("whisper:./nowhere.pt", "neither a folder"),
        ("wavlm-sv:./nowhere", "not found"),
        ("hubert-ctc:nowhere", "not found"),
        ("wavlm-sv:microsoft/not-in-the-cache", "not in the local cache"),
        ("whisper:small.en", "downloads are switched off"),
    ],
)
def test_bad_specs_are_answered_before_anything_is_loaded(
    spec: str, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for ask in (check, load):
        with pytest.raises(VerifierError, match=says) as caught:
            ask(spec)
        assert "\n" not in str(caught.value)


def test_metrics_are_known_without_loading() -> None:
    found = directions("whisper", "wavlm-sv:microsoft/wavlm-base-plus-sv", "hubert-ctc?name=wer-h")
    assert found == {"wer": False, "sim": True, "wer-h": False}
    assert directions("whisper?normalizer=whisper") == {"wer-whisper": False}


def test_official_names_are_those_of_openai_whisper() -> None:
    import whisper

    assert sorted(OFFICIAL) == sorted(whisper.available_models())
    assert {name: Path(url).name for name, url in whisper._MODELS.items()} == OFFICIAL


def test_the_package_offers_what_the_docstring_uses() -> None:
    for name in verifiers.__all__:
        assert hasattr(verifiers, name)
