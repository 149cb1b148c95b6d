"""torchaudio beside a CPU build of torch.

The torchaudio of the package index links CUDA, so beside a CPU build of torch its compiled extension raises
OSError when torchaudio is imported. transformers imports torchaudio wherever it is installed (for Llama,
WavLM and HuBERT too), funasr drops the models that need it without a word, and speechbrain fails. All they
need is in torchaudio's Python code, which has a path of its own for an installation without the extension. So
the extension is replaced by a module that says there is none: before any of these libraries is imported, in
every process, hence in ``llasa_core/__init__``. Nothing is imported by that, and any other pair of torch and
torchaudio is left alone.
"""

import sys
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import NoReturn

EXTENSION = "torchaudio._extension"


def tolerate_missing_extension() -> None:
    """From now on ``import torchaudio`` works beside a CPU build of torch. Safe to call again."""
    try:
        mismatch = version("torch").endswith("+cpu") and not version("torchaudio").endswith("+cpu")
    except PackageNotFoundError:
        return
    if mismatch and EXTENSION not in sys.modules:
        stub = ModuleType(EXTENSION)
        stub.__dict__.update(
            _IS_TORCHAUDIO_EXT_AVAILABLE=False,
            _IS_ALIGN_AVAILABLE=False,
            _check_cuda_version=lambda: None,
            fail_if_no_align=_without_alignment,
        )
        sys.modules[EXTENSION] = stub


def _without_alignment(function: object) -> object:
    """Takes the place of a torchaudio function that only the extension could carry out."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("this torchaudio was loaded without its compiled extension")

    return fail
