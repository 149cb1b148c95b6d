"""Whether another distribution has replaced one of the packages, whose names are as general as its own."""

from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
"""Where all packages lie, beside each other."""
OURS = {
    "llasa_core": "lm",
    "verifiers": "selection",
    "search": "strategies",
    "experiments": "runs",
}
"""Each package, and a folder that it has and no other package of its name."""


def check_packages() -> None:
    """Raises ImportError, one line with the cure, if one of the packages is another distribution's."""
    if line := collision():
        raise ImportError(line)


def collision() -> str:
    """What has happened to one of the packages, and the cure; "" if all are ours.

    Another package of its name lies elsewhere and is found first, or has been written over where ours was.
    """
    for package, folder in OURS.items():
        found = _place(find_spec(package))
        if found is None or (found == HERE / package and not (found / folder / "__init__.py").is_file()):
            return (
                f"the package {package!r} of llasa-search has been removed or replaced by another "
                "distribution of that name: pip install --force-reinstall llasa-search, best in an "
                "environment of its own"
            )
        if found != HERE / package:
            return (
                f"the package {package!r} is found in {found.parent}, not in {HERE} where the rest of "
                "llasa-search is: take that folder off the path, or uninstall the other distribution"
            )
    return ""


def _place(spec: ModuleSpec | None) -> Path | None:
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).resolve().parent
