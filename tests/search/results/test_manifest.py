"""The manifest tells one model from another by content."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from llasa_core.errors import UserError
from llasa_core.presets import PACKAGED
from llasa_core.request import Request
from llasa_core.sampling import Sampling
from search.models import ModelSpec
from search.results.candidate import plain
from search.results.manifest import content_hash, describe, identity, verifier_identity, versions
from search.results.manifest_schema import check_sources, read_manifest
from search.strategies.registry import build
from verifiers import catalogue


def test_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    folders = []
    for name, weights in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        folder = tmp_path / name
        (folder / "deep").mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "deep" / "weights").write_bytes(weights)
        folders.append(identity(folder)["sha256"])
    assert folders[0] == folders[1] != folders[2]


def test_where_a_byte_belongs_counts(tmp_path: Path) -> None:
    for name, parts in (("a", ("xy", "z")), ("b", ("x", "yz"))):
        (tmp_path / name).mkdir()
        for file, text in zip(("1", "2"), parts, strict=True):
            (tmp_path / name / file).write_text(text)
    assert content_hash(tmp_path / "a") != content_hash(tmp_path / "b")


def test_a_hub_model_that_is_not_cached_is_unknown() -> None:
    assert identity("owner/never-fetched") == {"source": "owner/never-fetched", "revision": "unknown"}
    assert verifier_identity("whisper:large-v3") == {"spec": "whisper:large-v3"}


def test_versions_of_what_matters_are_named() -> None:
    assert {"python", "torch", "transformers"} <= versions().keys()


def test_what_json_cannot_hold_becomes_null_or_text() -> None:
    value = {"a": float("nan"), "b": (1, float("inf")), "c": Path("x"), 4: {2}}
    assert plain(value) == {"a": None, "b": [1, None], "c": "x", "4": [2]}


def manifest() -> dict[str, Any]:
    """As a search writes it, with the shipped models."""
    spec = ModelSpec.from_preset("nano", judges=["hubert-ctc:nano"])
    strategy = build("beam", {"wer": False, "sim": True}).describe()
    return plain(describe(Request("Hi."), strategy, {"tokens": 500, "seconds": 2.5}, spec.manifest(2)))


def changed(place: str, value: Any) -> dict[str, Any]:
    """The manifest with another value at a place such as "models.verifiers.0.spec"."""
    found = manifest()
    *path, last = place.split(".")
    inner: Any = found
    for step in path:
        inner = inner[int(step) if step.isdigit() else step]
    if value is GONE:
        del inner[last]
    else:
        inner[int(last) if last.isdigit() else last] = value
    return found


GONE = object()


def test_what_was_written_is_read_again() -> None:
    found = read_manifest(json.loads(json.dumps(manifest())))
    assert (
        found.model_dump(by_alias=True, exclude_none=True)["models"]["generator"]["source"]
        == "nano/generator"
    )
    assert ModelSpec.from_dict(found.models.model_dump()) == ModelSpec(
        "nano",
        "nano/generator",
        "nano/codec",
        ("whisper:nano", "wavlm-sv:nano"),
        ("hubert-ctc:nano",),
        Sampling(temperature=0.8, top_p=0.95),
    )
    assert found.strategy["name"] == "beam" and found.budget == {"tokens": 500, "seconds": 2.5}
    assert found.request.text == "Hi." and found.request.prompt_sha256 is None
    assert read_manifest({"text": "a result", "manifest": manifest()}) == found


def test_those_from_before_there_was_a_schema_are_read_and_later_ones_refused_by_name() -> None:
    assert read_manifest(changed("schema", GONE)).schema_ == 0
    with pytest.raises(
        UserError, match="the manifest has schema 2, and the latest that is known is 1: update"
    ):
        read_manifest(changed("schema", 2))


@pytest.mark.parametrize("value", [None, 5, "text", [], True])
def test_what_is_no_manifest_at_all(value: Any) -> None:
    with pytest.raises(UserError, match="give the file that --json wrote"):
        read_manifest(value)
    with pytest.raises(UserError, match="give the file that --json wrote"):
        read_manifest({"manifest": value})


PLACES = [
    *("schema", "request", "strategy", "budget", "models", "versions", "inputs", "versions.torch"),
    *("request.text", "request.language", "request.prompt_text", "request.prompt_samples", "request.id"),
    *("request.prompt_sha256", "request.emotion", "request.emotion_samples", "request.seed"),
    *(
        "models.preset",
        "models.generator",
        "models.codec",
        "models.verifiers",
        "models.judges",
        "models.device",
    ),
    *(
        "models.sampling",
        "models.threads",
        "models.max_seconds",
        "models.generator.source",
        "models.codec.sha256",
    ),
    *(
        "models.verifiers.0",
        "models.verifiers.1.spec",
        "models.judges.0.sha256",
        "models.sampling.temperature",
    ),
    *("models.sampling.top_k", "budget.tokens"),
]
WRONG = {
    "text": "x" * 200_000,
    "huge": 10**5000,
    "minus": -1,
    "nan": math.nan,
    "infinite": math.inf,
    "true": True,
    "list": [1],
    "mapping": {"a": {"b": 1}},
    "null": None,
    "meta": "meta;",
}
RIGHT = {
    *((place, "null") for place in ("request.prompt_sha256", "request.emotion", "models.codec.sha256")),
    ("models.judges.0.sha256", "null"),
    *((place, "minus") for place in ("models.sampling.temperature", "budget.tokens")),
    *(("budget.tokens", wrong) for wrong in ("huge",)),
    *((place, "mapping") for place in ("strategy", "inputs")),
    *((place, "meta") for place in ("request.text", "request.language", "request.prompt_text", "request.id")),
    *((place, "meta") for place in ("models.preset", "models.generator.source", "models.verifiers.1.spec")),
    *((place, "meta") for place in ("request.emotion", "versions.torch")),
}
"""What is of the right kind, though not of use: whoever uses it says so."""


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("place", PLACES)
def test_a_wrong_value_is_named_with_its_place_in_one_line(place: str, wrong: str) -> None:
    found = changed(place, WRONG[wrong])
    if (place, wrong) in RIGHT:
        read_manifest(found)
        return
    with pytest.raises(UserError) as error:
        read_manifest(found)
    line = str(error.value)
    assert place in line or (place, wrong) == ("schema", "huge")
    assert "\\n" not in line and len(line) < 300


@pytest.mark.parametrize(
    "place", [place for place in PLACES if place not in ("schema", "inputs", "models.threads")]
)
def test_what_is_missing_is_named(place: str) -> None:
    if place in ("versions.torch", "budget.tokens", "models.codec.sha256", "models.judges.0.sha256"):
        read_manifest(changed(place, GONE))
        return
    if place == "models.verifiers.0":
        return
    with pytest.raises(UserError, match=f"the manifest lacks {place}"):
        read_manifest(changed(place, GONE))


def checked(place: str, value: Any, *, trust: bool = False) -> None:
    check_sources(read_manifest(changed(place, value)).models, trust=trust)


def test_models_as_they_were_are_taken() -> None:
    check_sources(read_manifest(manifest()).models)
    checked("models.verifiers.0", {"spec": "signal"})


def test_released_weights_that_are_here_are_known_by_their_name() -> None:
    here, fetched = {"spec": "whisper:tiny.en?window=auto"}, {"spec": "whisper:large-v3"}
    if not catalogue.release("whisper:tiny.en").here:
        pytest.skip(f"whisper:tiny.en is not here: {catalogue.release('whisper:tiny.en').state}")
    checked("models.judges.0", here)
    with pytest.raises(UserError, match="has no recorded content"):
        checked("models.judges.0", fetched)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            "models.generator.sha256",
            "0" * 64,
            "nano/generator .* is not the recorded one: its content has changed",
        ),
        ("models.verifiers.1.sha256", "0" * 64, "verifier wavlm-sv:nano .* its content has changed"),
        ("models.generator.sha256", None, "has no recorded content"),
        ("models.codec", {"source": "/no/such/folder", "sha256": "0" * 64}, "is not on this machine"),
        ("models.codec", {"source": "owner/name", "sha256": "0" * 64}, "is not on this machine"),
        ("models.codec", {"source": "owner/name", "revision": "unknown"}, "has no recorded revision"),
        (
            "models.codec",
            {"source": "owner/name", "revision": "abc"},
            "not in the local cache at the recorded",
        ),
        ("models.judges.0", {"spec": "ecapa:owner/name", "revision": "unknown"}, "judge ecapa:owner/name"),
        ("models.judges.0", {"spec": "ecapa:owner/name", "revision": "abc"}, "not in the local cache"),
        ("models.judges.0", {"spec": "ecapa:owner/name"}, "has no recorded content"),
        ("models.judges.0", {"spec": "whisper:large-v3"}, "has no recorded content"),
        ("models.judges.0", {"spec": "ecapa:/etc"}, "has no recorded content|holds"),
    ],
)
def test_what_is_not_known_to_be_the_same_is_refused_by_name_unless_trusted(
    place: str, value: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message) as found:
        checked(place, value)
    assert "\\n" not in str(found.value)
    checked(place, value, trust=True)


def test_a_folder_is_known_by_its_content_alone(tmp_path: Path) -> None:
    folder = tmp_path / "codec"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    entry = identity(folder)
    checked("models.codec", entry)
    (folder / "config.json").write_text("[]")
    content_hash.cache_clear()
    with pytest.raises(UserError, match="its content has changed"):
        checked("models.codec", entry)


def test_a_cached_revision_is_taken_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.results.manifest.hub_revision", lambda repository: "abc")
    checked("models.codec", {"source": "owner/name", "revision": "abc"})
    with pytest.raises(UserError, match="is cached at revision abc, and abd was recorded"):
        checked("models.codec", {"source": "owner/name", "revision": "abd"})


def test_a_model_card_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = content_hash(tmp_path)
    content_hash.cache_clear()
    (tmp_path / "README.md").write_text("a card")
    assert content_hash(tmp_path) == before
    content_hash.cache_clear()
    (tmp_path / "config.json").write_text("{ }")
    assert content_hash(tmp_path) != before


def test_what_is_no_model_is_not_hashed_to_the_end(tmp_path: Path) -> None:
    for number in range(1002):
        (tmp_path / str(number)).touch()
    with pytest.raises(UserError, match="over 1000 files: it is no model"):
        content_hash(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="holds no files"):
        content_hash(tmp_path / "pipe")


def test_a_packaged_model_is_named_alike_wherever_the_package_lies() -> None:
    assert identity(PACKAGED["nano/codec"]) == identity("nano/codec")
    assert identity("nano/codec")["source"] == "nano/codec"
