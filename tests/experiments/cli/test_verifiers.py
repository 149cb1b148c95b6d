"""`verifiers`: every kind of the registry, whatever state it is in."""

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pytest

from experiments.cli import main as cli
from llasa_core.audio import Waveform
from verifiers import catalogue
from verifiers.base import About, Score, Target
from verifiers.registry import BUILT_IN, ENTRY_POINTS
from verifiers.spec import Spec


class Needing:
    """A kind of another package, some of whose libraries are not there."""

    about = About(
        "distance to the moon",
        ("emotion", "emotion_reference"),
        {"moon:nano": "MIT"},
        1.5,
        "funasr",
        ("json", "no_such_library.inner", "no_other"),
    )

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        spec.values({})

    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        return "moon", True

    @classmethod
    def from_spec(cls, spec: Spec, device: str) -> "Needing":
        raise AssertionError("listing loads nothing")

    def score(self, candidates: Sequence[Waveform], target: Target, partial: bool = False) -> list[Score]:
        return []


class Plain(Needing):
    """Needs no weights, so none are released."""

    about = About("loudness", (), {}, 0.0)


class Nothing(Needing):
    about = None  # type: ignore[assignment]


class Failing(Needing):
    about = About("fails", (), {"failing": "MIT", "fail ing": "MIT"}, 0.0)

    @classmethod
    def check_spec(cls, spec: Spec) -> None:
        raise RuntimeError("out of\norder")


class Unsure(Needing):
    @classmethod
    def metric(cls, spec: Spec) -> tuple[str, bool]:
        raise KeyError("metric")


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kinds of other packages, good and bad."""
    (tmp_path / "raises_at_import.py").write_text("raise RuntimeError('not\\ntoday')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    targets = {
        "moon": f"{__name__}:Needing",
        "plain": f"{__name__}:Plain",
        "nothing": f"{__name__}:Nothing",
        "failing": f"{__name__}:Failing",
        "unsure": f"{__name__}:Unsure",
        "absent": "no_such_module:Thing",
        "nameless": f"{__name__}:Missing",
        "raising": "raises_at_import:Thing",
    }
    points = [metadata.EntryPoint(name, target, ENTRY_POINTS) for name, target in targets.items()]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points if group == ENTRY_POINTS else [])


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert cli.main(["verifiers", "--json", "-"]) == 0
    return {entry["kind"]: entry for entry in json.loads(capsys.readouterr().out)}


def test_every_built_in_kind_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(capsys)
    assert set(BUILT_IN) <= set(found)
    for kind in BUILT_IN:
        entry = found[kind]
        assert entry["problem"] == ""
        assert entry["measures"] and entry["metric"] and entry["released"]
    whisper = found["whisper"]
    assert (whisper["metric"], whisper["higher_is_better"], whisper["needs"]) == ("wer", False, ["text"])
    assert (whisper["min_seconds"], whisper["missing"], whisper["install"]) == (0.2, [], "")
    assert [whisper["released"][0], whisper["released"][-1]] == [
        {"spec": "whisper:nano", "licence": "Apache-2.0", "here": True, "state": "yes: packaged"},
        {
            "spec": "whisper:large-v3",
            "licence": "MIT",
            "here": False,
            "state": "no: the hub is switched off",
        },
    ]


def test_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert cli.main(["verifiers"]) == 0
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines()]
    assert ["wavlm-sv", "sim", "higher", "reference", "0.5", "s"] in [line[:6] for line in lines]
    assert ["hubert-ctc:nano", "yes:", "packaged", "Apache-2.0"] in lines


@pytest.mark.usefixtures("others")
def test_what_is_missing_is_named_with_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = listed(capsys)["moon"]
    assert entry["missing"] == ["no_such_library.inner", "no_other"]
    assert entry["install"] == "pip install 'llasa-search[funasr]'"
    assert entry["released"] == [
        {
            "spec": "moon:nano",
            "licence": "MIT",
            "here": False,
            "state": "no: needs no_such_library.inner, no_other",
        }
    ]
    monkeypatch.setenv("COLUMNS", "160")
    assert cli.main(["verifiers"]) == 0
    shown = capsys.readouterr().out
    assert "moon needs no_such_library.inner, no_other: pip install 'llasa-search[funasr]'" in shown
    assert "emotion, emotion reference" in shown
    assert f"nothing ({__name__}:Nothing): the verifier plugin 'nothing'" in shown


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("nothing", "no `about`"),
        ("absent", "no_such_module"),
        ("nameless", "Missing"),
        ("raising", "not today"),
        ("unsure", "metric"),
    ],
)
def test_a_kind_that_is_broken_is_listed_with_the_reason(
    kind: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = listed(capsys)[kind]
    assert says in str(entry["problem"])
    assert "\n" not in str(entry["problem"])


@pytest.mark.usefixtures("others")
def test_weights_that_cannot_be_loaded_say_why() -> None:
    [good, bad] = next(kind for kind in catalogue.describe() if kind.kind == "failing").releases
    assert (good.licence, good.here) == ("MIT", False)
    assert good.state.startswith("no: the verifier plugin 'failing'")
    assert good.state.endswith("failed in check_spec: RuntimeError: out of order")
    assert bad.state.startswith("no: cannot read the verifier 'fail ing'")
    assert catalogue.release("wisper").state.startswith("no: unknown verifier 'wisper'")
    assert catalogue.release("whisper:./nowhere").licence == "see its source"


@pytest.mark.usefixtures("others")
def test_a_kind_without_weights_can_run_wherever_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys)["plain"]["released"] == [
        {"spec": "plain", "licence": "see its source", "here": True, "state": "yes"}
    ]


def test_what_would_be_fetched_is_told_from_what_cannot_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And asking leaves the switch as it was."""
    from huggingface_hub import constants

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert catalogue.release("whisper:large-v3").state == "no: fetched when first loaded"
    assert catalogue.release("wavlm-sv:microsoft/not-in-the-cache").state == "no: fetched when first loaded"
    assert "HF_HUB_OFFLINE" not in __import__("os").environ
    assert constants.HF_HUB_OFFLINE is False
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper" / "large-v3.pt").touch()
    assert catalogue.release("whisper:large-v3") == catalogue.Release(
        "whisper:large-v3", "MIT", True, "yes: openai-whisper's cache"
    )


def test_listing_imports_no_model_library() -> None:
    code = (
        "import sys\nfrom experiments.cli.main import main\nassert main(['verifiers', '--json', '-']) == 0\n"
        "heavy = {'torch', 'transformers', 'whisper', 'funasr', 'speechbrain', 'onnxruntime', 'torchaudio'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert json.loads(done.stdout)
