"""The search engine: strategies ask for work, backends carry it out, the ledger says what it cost.

    from search import Searcher

The names below are imported when they are first used: importing this package loads no model library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import llasa_core  # noqa: F401  before transformers: see llasa_core.torchaudio_import

if TYPE_CHECKING:
    from search.cost.budget import Budget
    from search.engine import Failure, Searcher
    from search.models import ModelSpec
    from search.results.candidate import Candidate
    from search.results.result import SearchResult
    from search.strategies.base import Strategy
    from search.strategies.registry import build

_HOMES = {
    "Budget": "search.cost.budget",
    "Candidate": "search.results.candidate",
    "Failure": "search.engine",
    "ModelSpec": "search.models",
    "SearchResult": "search.results.result",
    "Searcher": "search.engine",
    "Strategy": "search.strategies.base",
    "build": "search.strategies.registry",
}

__all__ = [
    "Budget",
    "Candidate",
    "Failure",
    "ModelSpec",
    "SearchResult",
    "Searcher",
    "Strategy",
    "build",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
