"""Speaks a book: rung by rung of the ladder, all chunks of a rung in flight together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import interrupts
from experiments.narration.speaking.folder import SpokenFolder
from experiments.narration.speaking.ladder import Rung, due, texts_of
from experiments.narration.speaking.planning import Speaking, changed, check_folder_of, of_another_voice
from experiments.narration.speaking.speech import Speech, joined, speech_of
from experiments.narration.takes import PlannedChunk, Take, write_plan
from experiments.request_options import warn_of_prompts
from experiments.runs.actor_log import ActorLog
from experiments.runs.dataset import Row
from experiments.runs.view import RunView
from experiments.terminal import say
from llasa_core.errors import LlasaError
from search.cost.budget import Budget
from search.results.result import SearchResult

if TYPE_CHECKING:
    from search.engine import Failure, Searcher


@dataclass
class Waiting:
    """A chunk whose parts are being spoken."""

    chunk: PlannedChunk
    texts: Sequence[str]
    speeches: dict[int, Speech] = field(default_factory=dict)
    error: Exception | None = None
    ended: int = 0


def narrate(
    folder: Path, speaking: Speaking, *, in_flight: int | None = None
) -> interrupts.Interrupted | None:
    """Speaks all chunks of the plan that are not spoken yet into the folder; the signal that stopped it, with
    everything finished kept.

    Raises UserError or VerifierError, before any model is loaded, for whatever cannot work; and for a disk
    that is full.
    """
    check_folder_of(folder, speaking.plan)
    with interrupts.guarded(), SpokenFolder(folder) as spoken:
        begin(spoken, speaking)
        if not any(due_of(spoken, speaking, number) for number in rungs(speaking)):
            return None
        say("loading the models", error=True)
        try:
            with closing(speaking.settings.searcher()) as searcher:
                narrator = Narrator(spoken, speaking, searcher, in_flight)
                for rung in rungs(speaking):
                    narrator.climb(rung)
        except interrupts.Interrupted as signal:
            return signal
    return None


def rungs(speaking: Speaking) -> range:
    return range(len(speaking.limits.ladder))


def due_of(spoken: SpokenFolder, speaking: Speaking, rung: int) -> list[PlannedChunk]:
    """As `due`."""
    return due(speaking.plan.chunks, spoken.takes, rung, speaking.limits, speaking.plan.language)


def begin(spoken: SpokenFolder, speaking: Speaking) -> None:
    """Writes the plan, and forgets takes that do not hold any more, with a note on stderr."""
    keys = [chunk.key for chunk in speaking.plan.chunks]
    for found, why in (
        (changed(spoken.takes, speaking), "have another voice now"),
        (spoken.lost(keys), "were spoken before, and their audio is gone or is another one now"),
    ):
        if found:
            say(f"note: {len(found)} chunks {why}: spoken again", error=True)
            spoken.forget(found)
    if other := of_another_voice(spoken.takes, speaking):
        many = f" and {len(other) - 1} more" if len(other) > 1 else ""
        say(
            f"note: chunk {other[0]}{many} was done again by hand in another voice than the book has for it, "
            "and stays so: `narrate redo` gives it another one, by --voice or --prompt-audio",
            error=True,
        )
    spoken.prepare()
    write_plan(spoken.folder, speaking.plan)
    known = [spoken.takes[key] for key in keys if key in spoken.takes]
    passed = sum(take.passed for take in known)
    before = f"{len(known)} spoken before, {passed} of them passed; " if known else ""
    if felt := sum(bool(chunk.emotion) for chunk in speaking.plan.chunks):
        say(
            f"note: {felt} chunks name an emotion: among takes that pass, the nearest to it is chosen, and "
            "of the other chunks the most neutral",
            error=True,
        )
    if note := speaking.note_on_styles:
        say(f"note: {note}", error=True)
    say(f"{len(keys)} chunks: {before}{len(keys) - len(known)} to speak", error=True)


class Narrator:
    """Speaks chunks with the models that are loaded."""

    def __init__(
        self, spoken: SpokenFolder, speaking: Speaking, searcher: Searcher, in_flight: int | None
    ) -> None:
        self.spoken, self.speaking, self.searcher, self.in_flight = spoken, speaking, searcher, in_flight
        self.session = spoken.sessions + 1
        self.failed: dict[str, str] = {}
        self._began = time.monotonic()
        self._warned = False

    def climb(self, number: int) -> None:
        """Tries one rung for every chunk that it is due for."""
        rung = self.speaking.limits.ladder[number]
        language = self.speaking.plan.language
        chunks = due_of(self.spoken, self.speaking, number)
        waiting = {
            one.key: Waiting(one, texts_of(one, rung, language))
            for one in chunks
            if one.key not in self.failed
        }
        if not waiting:
            return
        say(f"{rung.spec}{', split' if rung.split else ''}: {len(waiting)} chunks", error=True)
        requests = list(self._requests(waiting, number))
        if not self._warned:
            warn_of_prompts(self.searcher, [row.request() for _, _, row in requests[:1]])
            self._warned = True
        self._search(waiting, requests, number, rung)

    def _requests(self, waiting: dict[str, Waiting], number: int) -> Iterator[tuple[Waiting, int, Row]]:
        for one in waiting.values():
            for part, text in enumerate(one.texts):
                yield one, part, self.speaking.row(one.chunk, text, number, part)

    def _search(
        self,
        waiting: dict[str, Waiting],
        requests: Sequence[tuple[Waiting, int, Row]],
        number: int,
        rung: Rung,
    ) -> None:
        by_id = {row.id: (one, part, row) for one, part, row in requests}
        actors = ActorLog(self.spoken.folder, self.session, getattr(self.searcher.backend, "workers", list))
        work = {row.id: one.chunk.predicted / len(one.texts) for one, _, row in requests}
        view = RunView(len(requests), 0, 0, {}, actors.look, work=sum(work.values()))
        outcomes = self.searcher.run_many(
            (row.request() for _, _, row in requests),
            {**rung.strategy, "select": self.speaking.standard.select},
            budget=lambda request: self._budget(by_id[request.id][0], number),
            in_flight=self.in_flight,
            progress=view.watch,
        )
        with view, actors, closing(outcomes):
            for outcome in outcomes:
                one, part, row = by_id[outcome.request.id]
                with interrupts.held():
                    self._take(outcome, one, part, row)
                    if one.ended == len(one.texts):
                        self._finish(one, number, rung)
                    if isinstance(outcome, SearchResult):
                        view.finished(outcome, work[row.id])
                    else:
                        view.lost(row.id, work[row.id])

    def _budget(self, one: Waiting, number: int) -> Budget:
        left = self.speaking.limits.left(self.spoken.takes.get(one.chunk.key), number)
        parts = len(one.texts)
        if parts == 1 or left.tokens is None:
            return left
        return Budget(left.candidates, max(1, left.tokens // parts), left.seconds, left.flops)

    def _take(self, outcome: SearchResult | Failure, one: Waiting, part: int, row: Row) -> None:
        one.ended += 1
        if isinstance(outcome, SearchResult):
            one.speeches[part] = speech_of(outcome, self.speaking.standard, row.inputs)
        else:
            one.error = outcome.error

    def _finish(self, one: Waiting, number: int, rung: Rung) -> None:
        """A chunk has been tried: one line more in the log, or a word on why it cannot be spoken."""
        chunk = one.chunk
        if one.error is not None:
            if not isinstance(one.error, LlasaError):
                raise one.error
            self.failed[chunk.key] = " ".join(str(one.error).split())
            say(f"warning: chunk {chunk.id} cannot be spoken: {self.failed[chunk.key]}", error=True)
            return
        parts = [one.speeches[part] for part in range(len(one.texts))]
        speech = parts[0] if len(parts) == 1 else joined(parts)
        before = self.spoken.takes.get(chunk.key)
        attempt = attempt_of(
            speech, number, rung, one.texts, self.speaking.row(chunk, chunk.text, number, 0).seed
        )
        self.spoken.keep(
            chunk,
            speech,
            best=before is None or speech.rank > rank_of(before),
            asked=self.speaking.asked(chunk),
            name=f"{chunk.key}.{number}",
            values={
                "text": chunk.text,
                "spoken": chunk.spoken,
                "seed": attempt["seed"],
                "attempts": [*([] if before is None else dumped(before)), attempt],
                "ledger": added(before, speech),
                "session": self.session,
                "elapsed": round(time.monotonic() - self._began, 3),
            },
        )


def attempt_of(speech: Speech, number: int, rung: Rung, texts: Sequence[str], seed: int) -> dict[str, Any]:
    """As `Attempt`."""
    told = speech.ledger.as_dict()
    return {
        "rung": number,
        "strategy": rung.spec,
        "seed": seed,
        "parts": list(texts) if len(texts) > 1 else [],
        "candidates": speech.candidates,
        "tokens": speech.ledger.tokens_generated,
        "seconds": round(sum(told["wall_seconds"].values()), 4),
        "flops": float(sum(told["flops"].values())),
        "passed": speech.passed,
        "why": [doubt.says for doubt in speech.doubts],
        "never": list(speech.never),
    }


def dumped(take: Take) -> list[dict[str, Any]]:
    return [attempt.model_dump(mode="json") for attempt in take.attempts]


def added(before: Take | None, speech: Speech) -> dict[str, Any]:
    """The ledger of all attempts together."""
    told = speech.ledger.as_dict()
    return told if before is None else summed(before.ledger, told)


def summed(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    found = dict(first)
    for key, value in second.items():
        if isinstance(value, dict):
            found[key] = summed(found.get(key, {}), value)
        else:
            found[key] = round(found.get(key, 0) + value, 4)
    return found


def rank_of(take: Take) -> tuple[bool, int, int, float]:
    """As `Speech.rank`, of the audio that a take keeps."""
    errors = sum(one.errors if one.usable else one.words for one in take.heard)
    return take.passed, -errors, -len(take.doubts), take.measures.similarity or 0.0
