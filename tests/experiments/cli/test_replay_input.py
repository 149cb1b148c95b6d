"""What `replay` is given: whatever a key holds, it is accepted, or refused in one line before models load."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.cli.main import main
from llasa_core.request import Request
from search.engine import Searcher
from search.models import ModelSpec
from search.results.manifest import describe_request, versions
from tests.experiments.test_documents import anything, places, replaced


class Accepted(Exception):
    """The models would be loaded now."""


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    """As `synth` writes it."""
    return {
        "request": describe_request(Request("one bird", seed=3)),
        "strategy": {"name": "best-of-n", "n": 2, "select": "wer", "verifiers": ["wer"]},
        "budget": {"tokens": 500},
        "models": ModelSpec.from_preset("nano", verifiers=("whisper:nano",)).manifest(1),
        "versions": versions(),
        "inputs": {"voice": None, "prompt_audio": None, "emotion_audio": None},
    }


def replayed(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The line that refuses the file; "" if it is accepted."""
    capsys.readouterr()
    try:
        code = main(["replay", str(path), "-o", str(path.parent / "again.wav")])
    except Accepted:
        return ""
    error = capsys.readouterr().err.strip().splitlines()
    assert code == 2 and error[-1].startswith("error: ") and len(error[-1]) < 700
    assert all(line.startswith("note: ") for line in error[:-1])
    return error[-1]


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> None:
        raise Accepted

    monkeypatch.setattr(Searcher, "load", load)


def test_a_manifest_alone_and_in_a_result_are_accepted(
    manifest: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (manifest, {"manifest": manifest, "waveform_sha256": "0" * 64, "text": "one bird"}):
        (tmp_path / "a.json").write_text(json.dumps(content))
        assert replayed(tmp_path / "a.json", capsys) == ""


BAD = [
    (("request", "prompt_sha256"), 5, "request.prompt_sha256"),
    (("request", "text"), None, "request.text"),
    (("request", "text"), "?", "no letter or digit"),
    (("request", "id"), 7, "request.id"),
    (("request", "seed"), -1, "seed"),
    (("versions",), None, "versions"),
    (("models", "max_seconds"), "x", "models.max_seconds"),
    (("models", "max_seconds"), 1e300, "max_seconds"),
    (("models", "threads"), -1, "models.threads"),
    (("models", "device"), "meta", "meta"),
    (("models", "generator", "source"), "x" * 300, "x"),
    (("models", "generator", "source"), "a\0b", "a"),
    (("models", "codec", "sha256"), "0" * 64, "changed"),
    (("models", "verifiers"), {"a": 1}, "models.verifiers"),
    (("models", "verifiers"), [{"spec": "whisper:~nosuchuser/x"}], "nosuchuser"),
    (("models", "sampling"), {"top_k": 2.5}, "models.sampling"),
    (("models", "sampling"), {"heat": 1}, "models.sampling"),
    (("strategy",), {"name": "bean"}, "bean"),
    (("strategy",), {"name": "beam", "beams": [2]}, "beams=[2]"),
    (("budget",), {"tokens": -5}, "budget"),
    (("budget",), {"tokns": 5}, "tokns"),
    (("inputs", "voice"), "nobody", "no voice"),
]


@pytest.mark.parametrize(("path", "value", "says"), BAD)
def test_a_manifest_with_a_bad_value_is_refused(
    manifest: dict[str, Any],
    path: tuple[str, ...],
    value: Any,
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    needs_voice = path == ("inputs", "voice")
    base = replaced(manifest, ("request", "prompt_samples"), 16000) if needs_voice else manifest
    (tmp_path / "a.json").write_text(json.dumps(replaced(base, path, value)))
    assert says in replayed(tmp_path / "a.json", capsys)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[" * 100_000, '{"manifest": 5}', "9" * 5000])
def test_what_is_no_manifest_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text(text)
    assert "a.json" in replayed(tmp_path / "a.json", capsys)


def test_every_key_is_needed(
    manifest: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    optional = {(), ("inputs",), ("models", "threads"), ("schema",)}
    optional |= {("request", key) for key in ("as_written", "spoken", "changes")}
    for path in places(manifest):
        if path in optional or (path[0] in ("inputs", "versions", "budget", "strategy") and path[1:]):
            continue
        if path[-1] in ("sha256", "revision"):
            continue
        without = json.loads(json.dumps(manifest))
        parent = without
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]
        (tmp_path / "a.json").write_text(json.dumps(without))
        assert f"lacks {'.'.join(path)}" in replayed(tmp_path / "a.json", capsys)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_a_key_holds_replay_has_a_line_for_it(
    manifest: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    data: st.DataObject,
) -> None:
    place = data.draw(st.sampled_from(places(manifest)))
    (tmp_path / "a.json").write_text(json.dumps(replaced(manifest, place, data.draw(anything))))
    replayed(tmp_path / "a.json", capsys)
