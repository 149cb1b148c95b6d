"""What a search returns: every candidate with its scores, the winner, the cost, and how to make it again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from textwrap import shorten
from typing import Any

from llasa_core.audio import SAMPLE_RATE, Waveform, write_audio
from llasa_core.errors import UserError
from llasa_core.request import Request
from search.cost.ledger import Ledger
from search.results.candidate import Candidate, plain, shown_scores
from search.results.display import ears, html
from search.results.ends import ENDS, NOT_REACHED, UNMET, ends_of, missed_emotion
from search.results.leak import Leak, leak_of
from search.results.manifest import SCHEMA
from search.results.trace import Step
from verifiers.base import Score


@dataclass(frozen=True, slots=True)
class TriedArm:
    """A recording of the voice that was tried as the prompt: how many candidates it drew at the last, and the
    scores of their winner."""

    name: str
    candidates: int
    scores: Mapping[str, Score]

    def as_dict(self) -> dict[str, Any]:
        scores = {name: plain(score.value) for name, score in self.scores.items()}
        return {"name": self.name, "candidates": self.candidates, "scores": scores}


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult:
    """The outcome of one request. In a notebook it shows and plays itself.

    candidates: in lineage order. constraints_met: False if none of them met all constraints of the selection.
    stopped: what ended the search early, "" if nothing did. directions: of every metric by name and every
    judge by spec, whether higher is better. arm, arms: of a prompt search (`search.arms`) the recording that
    won, and all that were tried.
    """

    request: Request
    candidates: tuple[Candidate, ...]
    constraints_met: bool
    ledger: Ledger
    trace: tuple[Step, ...]
    manifest: Mapping[str, Any]
    stopped: str = ""
    directions: Mapping[str, bool] = field(default_factory=dict)
    arm: str = ""
    arms: tuple[TriedArm, ...] = ()

    def __repr__(self) -> str:
        met = "" if self.constraints_met else ", constraints not met"
        met += f", emotion not reached: {self.missed_emotion}" if self.missed_emotion else ""
        stopped = f", stopped: {self.stopped}" if self.stopped else ""
        return (
            f"<speech of {shorten(self.request.text, 60, placeholder='...')!r}: {self.winner.seconds:.2f} s, "
            f"the best of {len(self.candidates)}, {shown_scores(self.scores)}{met}{stopped}>"
        )

    def _repr_html_(self) -> str:
        """The candidates and the winner's sound, for notebooks."""
        notes = [] if self.constraints_met else ["No candidate met all constraints."]
        notes += [f"Not reached: {self.missed_emotion}."] if self.missed_emotion else []
        notes += [f"{ENDS[end].capitalize()}." for end in self.ends if end not in (UNMET, NOT_REACHED)]
        notes += [f"Stopped: {self.stopped}."] if self.stopped else []
        notes += [f"{self.ears}."] if self.ears else []
        return html(self.request.text, self.candidates, self.directions, notes)

    def play(self) -> Any:
        """The winner as a player for notebooks (`IPython.display.Audio`). Raises UserError without
        IPython."""
        try:
            from IPython.display import Audio
        except ImportError:
            raise UserError("playing needs IPython: pip install ipython, or use save(path)") from None
        return Audio(self.waveform, rate=SAMPLE_RATE, normalize=False)

    def save(self, path: str | Path) -> None:
        """Writes everything but the sound to a path that ends in .json, and the winner's sound to any other.

        Raises AudioError or OSError if the file cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() == ".json":
            path.write_text(json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n", "utf-8")
        else:
            write_audio(path, self.waveform)

    @property
    def ends(self) -> tuple[str, ...]:
        """What is amiss with the winner: names of `search.results.ends.ENDS`, none for a good end."""
        winner = self.winner
        stopped = bool(self.stopped) and all(candidate.cut_off for candidate in self.candidates)
        return ends_of(
            winner.scores,
            cut_off=winner.cut_off,
            constraints_met=self.constraints_met,
            nothing_complete=stopped,
        )

    @property
    def satisfied(self) -> bool:
        """Whether the winner meets all constraints and has the emotion that was asked for."""
        return self.constraints_met and not self.missed_emotion

    @property
    def missed_emotion(self) -> str:
        """What was found in place of the emotion that was asked for, such as "sad 0.18, neutral 0.40"; "" if
        it is reached, or none was asked for."""
        return missed_emotion(self.winner.scores)

    @cached_property
    def leak(self) -> Leak | None:
        """What was bought with the emotion that was asked for; None if none was, or nothing judged it."""
        if self.request.emotion is None and self.request.emotion_audio is None:
            return None
        return leak_of(self.candidates, self.manifest.get("models", {}), self.directions)

    @property
    def ears(self) -> str:
        """Which verifiers searched and which judges did not, by spec."""
        models = self.manifest.get("models", {})
        return ears(*([one["spec"] for one in models.get(role, ())] for role in ("verifiers", "judges")))

    @property
    def stepped_back(self) -> tuple[str, ...]:
        """The metrics that had no part in choosing the winner, as it is too short for them."""
        return tuple(name for name, score in self.scores.items() if score.short)

    @property
    def winner(self) -> Candidate:
        return min(self.candidates, key=lambda candidate: candidate.rank)

    @property
    def waveform(self) -> Waveform:
        """float32 [samples], mono 16 kHz: the winner's."""
        return self.winner.waveform

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.winner.tokens

    @property
    def scores(self) -> Mapping[str, Score]:
        return self.winner.scores

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, without waveforms; numbers that are not finite become null."""
        return {
            "schema": SCHEMA,
            "text": self.request.text,
            "winner": self.winner.number,
            "satisfied": self.satisfied,
            "constraints_met": self.constraints_met,
            "missed_emotion": self.missed_emotion,
            "stopped": self.stopped,
            "ends": list(self.ends),
            "stepped_back": list(self.stepped_back),
            "waveform_sha256": hashlib.sha256(self.waveform.tobytes()).hexdigest(),
            **({"arm": self.arm, "arms": [arm.as_dict() for arm in self.arms]} if self.arms else {}),
            **({} if self.leak is None else {"leak": self.leak.as_dict()}),
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "directions": dict(self.directions),
            "ledger": self.ledger.as_dict(),
            "trace": [plain(step.as_dict()) for step in self.trace],
            "manifest": plain(self.manifest),
        }
