"""torchaudio beside a CPU build of torch: its compiled extension links CUDA and raises OSError when it is imported.

transformers imports torchaudio wherever it is installed, funasr drops the models that need it without a word, and
speechbrain fails. All they need is in torchaudio's Python code, which has a path of its own for an installation
without the extension: that path is taken here. Importing ``llasa_core`` is enough, in every process; torchaudio itself
is not imported by that.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import NoReturn

EXTENSION = "torchaudio._extension"


class _WithoutExtension(Loader):
    """Loads torchaudio's extension, or says in its place that there is none."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        try:
            self._loader.exec_module(module)
        except OSError:
            module.__dict__.update(
                _IS_TORCHAUDIO_EXT_AVAILABLE=False,
                _IS_ALIGN_AVAILABLE=False,
                _check_cuda_version=lambda: None,
                fail_if_no_align=_without_alignment,
            )


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != EXTENSION:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _WithoutExtension(spec.loader)
        return spec


def _without_alignment(function: object) -> object:
    """Takes the place of a torchaudio function that only the extension could carry out."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("this torchaudio was loaded without its compiled extension")

    return fail


def tolerate_missing_extension() -> None:
    """From now on ``import torchaudio`` works where its extension cannot be loaded. Safe to call again."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
