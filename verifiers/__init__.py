"""Verifiers score audio against a target: what is said (WER), who says it (SIM), and how scores combine.

    judge = verifiers.load("whisper")
    judge.score([waveform], Target(text="The train is late."))[0].value

`load_shared` is `load` with one model a process, `Remembering` keeps scores, and `BaseVerifier` is the base
of a verifier of one's own. Importing this package imports no model library.
"""

from verifiers.base import About, Likelihood, Score, Target, TokenVerifier, Verifier
from verifiers.cache import Remembering
from verifiers.errors import VerifierError
from verifiers.instances import load_shared, unload
from verifiers.registry import check, directions, kinds, load
from verifiers.selection.parse import ConstraintFirst, Ranking, Selection, parse_selection
from verifiers.shared.verifier import BaseVerifier
from verifiers.stats import Interval, bootstrap_mean, paired_difference, wilson

__all__ = [
    "About",
    "BaseVerifier",
    "ConstraintFirst",
    "Interval",
    "Likelihood",
    "Ranking",
    "Remembering",
    "Score",
    "Selection",
    "Target",
    "TokenVerifier",
    "Verifier",
    "VerifierError",
    "bootstrap_mean",
    "check",
    "directions",
    "kinds",
    "load",
    "load_shared",
    "paired_difference",
    "parse_selection",
    "unload",
    "wilson",
]
