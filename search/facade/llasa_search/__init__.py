"""Inference-time search for the text-to-speech model Llasa: what most programs need, under one name.

    from llasa_search import Request, Searcher

    with Searcher.from_preset("nano", verifiers=["whisper"]) as searcher:
        result = searcher.run(Request("The morning train is late again."), "best-of-n?n=8&select=wer")
    result.save("out.wav")

The code lives in the packages llasa_core, verifiers, search and experiments, whose imports of each other
are by these names, so that a clone runs as it is; that is why they are not installed inside of this one.
Their names are as general as those of other distributions: importing this module says so in one line if one
of them has been replaced.
"""

try:
    from search.collisions import check_packages
except ModuleNotFoundError:
    raise ImportError(
        "the package 'search' of llasa-search has been removed or replaced by another distribution of that "
        "name: pip install --force-reinstall llasa-search, best in an environment of its own"
    ) from None

check_packages()

from llasa_core import Request, Sampling, UserError, read_audio, write_audio
from search import Budget, ModelSpec, Searcher, SearchResult
from verifiers import load as load_verifier

__all__ = [
    "Budget",
    "ModelSpec",
    "Request",
    "Sampling",
    "SearchResult",
    "Searcher",
    "UserError",
    "load_verifier",
    "read_audio",
    "write_audio",
]
