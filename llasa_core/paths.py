"""Paths that users give: looked up without surprises, and written whole or not at all."""

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path

from llasa_core.errors import LlasaError, UserError

_LONGEST_SHOWN = 200
_PROBLEMS = {
    errno.ENAMETOOLONG: "has a name that is too long for the file system",
    errno.ELOOP: "is a link that leads back to itself",
    errno.EACCES: "cannot be looked up: permission denied",
}


def shown(path: str | os.PathLike[str]) -> str:
    """The path as one printable line: control characters and bytes that are no UTF-8 escaped, long ones
    cut."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in os.fspath(path))
    half = _LONGEST_SHOWN // 2
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:half]}...{text[-half:]}"


def user_path(
    path: str | os.PathLike[str], what: str = "path", *, error: type[LlasaError] = UserError
) -> Path:
    """The path with `~` replaced; `exists`, `is_file` and `is_dir` of it raise nothing.

    what: names it in the error ("audio file"). Raises `error` for a path that cannot be looked up: a name
    over 255 bytes, a NUL, a loop of links, an unknown user behind `~`, a folder that may not be entered.
    """
    try:
        found = Path(path).expanduser()
    except RuntimeError:
        raise error(f"{what} {shown(path)} names a user that this machine does not have") from None
    try:
        found.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as problem:
        why = _PROBLEMS.get(problem.errno or 0) or f"cannot be looked up: {problem.strerror or problem}"
        raise error(f"{what} {shown(path)} {why}") from None
    except ValueError:
        raise error(f"{what} {shown(path)} holds characters that no file name has") from None
    return found


def regular_file(
    path: str | os.PathLike[str],
    what: str,
    *,
    error: type[LlasaError] = UserError,
    cure: str = "give the path of a file",
) -> Path:
    """The path of a regular file that may be read, with `~` replaced.

    what: names it in the error ("audio file"). Raises `error`, in one line, for anything else: a path that is
    not there or cannot be looked up, a folder, and pipes, devices and sockets, which may never end.
    """
    file = user_path(path, what, error=error)
    try:
        mode = file.stat().st_mode
    except OSError:
        raise error(f"{what} {shown(path)} does not exist: {cure}") from None
    if stat.S_ISDIR(mode):
        raise error(f"{what} {shown(path)} is a folder, not a file: {cure}")
    if not stat.S_ISREG(mode):
        raise error(
            f"{what} {shown(path)} is no regular file (a pipe, a device or a socket): save it to a file"
        )
    if not os.access(file, os.R_OK):
        raise error(f"{what} {shown(path)} may not be read: permission denied")
    return file


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file whole or not at all: beside it first, then renamed; it is on the disk when this returns.

    Raises OSError, and leaves nothing then; a kill leaves `.llasa-search-*.part`.
    """
    file = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=".llasa-search-", suffix=".part", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(handle)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
