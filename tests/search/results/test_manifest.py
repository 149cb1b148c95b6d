"""The manifest tells one model from another by content."""

from pathlib import Path

from search.results.candidate import plain
from search.results.manifest import content_hash, identity, verifier_identity, versions


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
