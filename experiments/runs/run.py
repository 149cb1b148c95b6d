"""Speaks every text of a file into a folder, and goes on where it was stopped.

Whatever becomes of a text is one record, the last thing that is written of it. A text with a record is
finished, all others are still to do; nothing else says how far a run is.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import interrupts
from experiments.config import SearchOptions, Settings, choose_metrics
from experiments.files import check_folder, write_whole
from experiments.prompts import arms_of, inputs_of_arm, prompts_of
from experiments.request_options import (
    RequestOptions,
    announce_untrained_words,
    build_common,
    check_clip,
    choose_voice,
    warn_of_prompts,
)
from experiments.runs.actor_log import ActorLog
from experiments.runs.dataset import Row, check_texts, file_name, read_rows, refuse
from experiments.runs.description import check_places, describe, prepare_folder
from experiments.runs.records import Records
from experiments.runs.remaining import remaining_rows
from experiments.runs.table import NAME as TABLE
from experiments.runs.tables import ColumnMapping
from experiments.terminal import Terminal, say
from llasa_core.audio import wav_bytes
from llasa_core.errors import LlasaError, UserError
from llasa_core.request import Request
from search.arms import Arm, search_arms
from search.preflight import check_prompt, unread_letters
from search.results.candidate import score_as_dict
from search.results.ends import CUT_OFF, ENDS, NOT_REACHED, NOTHING_COMPLETE, SHORTENED, UNMET
from search.results.result import SearchResult

if TYPE_CHECKING:
    from experiments.runs.view import RunView
    from search.engine import Failure

SHOWN = 10
"""Of failures, so many are listed."""
EXIT_FAILED, EXIT_UNMET = 1, 3
TRACEBACK_CHARACTERS = 4000


@dataclass(frozen=True)
class RunOptions:
    """output: the folder. in_flight: texts searched at once; None: as many as the models need.
    text_column, id_column: the columns of the list that hold text and id, where they have other names."""

    output: Path
    resume: bool = False
    retry_failed: bool = False
    limit: int | None = None
    in_flight: int | None = None
    text_column: str | None = None
    id_column: str | None = None


def run(
    source: Path,
    options: RunOptions,
    request: RequestOptions,
    search: SearchOptions,
    *,
    recipe: Path | None = None,
) -> int:
    """Exit code: 0 all texts are spoken, 1 some failed, 3 some do not meet the bounds that were asked for,
    128 and the number of the signal that interrupted it.

    recipe: where the options came from, which the run must not write over. Raises UserError or VerifierError,
    before any model is loaded, for whatever cannot work; and for a disk that is full.
    """
    check_options(options)
    build_common(request)
    columns = ColumnMapping(options.text_column, options.id_column)
    rows = read_rows(source, request, options.limit, columns)
    return run_rows(rows, source, options, request, search, recipe=recipe)


def check_options(options: RunOptions) -> None:
    """Raises UserError for options that contradict each other, and a folder that cannot be written."""
    if options.retry_failed and not options.resume:
        raise UserError("--retry-failed goes on with a run: add --resume")
    check_folder(options.output / "audio", "-o")


def run_rows(
    rows: Sequence[Row],
    source: Path,
    options: RunOptions,
    request: RequestOptions,
    search: SearchOptions,
    *,
    recipe: Path | None = None,
) -> int:
    """As `run`, of rows that were read from `source`, a file or a folder."""
    settings = check_run(rows, source, options, request, search, recipe=recipe)
    if settings.note:
        say(f"note: {settings.note}", error=True)
    with interrupts.guarded(), Records(options.output) as records:
        prepare_folder(records, describe(source, request, settings, len(rows)), resume=options.resume)
        missing = remaining_rows(records, rows, retry_failed=options.retry_failed)
        announce(rows, missing, records)
        interrupted = None
        if missing:
            texts = [row.text_alone.spoken.spoken for row in missing]
            if unread := unread_letters(settings.generator_source, texts):
                say(f"warning: {unread}", error=True)
            announce_untrained_words(settings.generator_source, texts)
            try:
                Run(rows, missing, settings, records, request).speak(options.in_flight)
            except interrupts.Interrupted as signal:
                interrupted = signal
        return conclude(records, rows, settings, interrupted)


def check_run(
    rows: Sequence[Row],
    source: Path,
    options: RunOptions,
    request: RequestOptions,
    search: SearchOptions,
    *,
    recipe: Path | None = None,
) -> Settings:
    """Raises UserError or VerifierError for whatever of a run cannot work; loads no model."""
    settings = Settings.from_options(search, rows[0])
    problems = []
    for row in rows:
        try:
            settings.check_emotion(row)
            prompts_of(request, row.prompt)
        except UserError as error:
            problems.append(f"{row.where}: {error}")
    refuse(problems)
    settings.check_device()
    common = build_common(request)
    check_clip(common)
    if request.searches_prompts:
        arms_of(common, prompts_of(request, choose_voice(request)))
    check_prompt(settings.generator_source, common)
    check_texts(rows, settings.generator_source, settings.models.max_seconds)
    recordings = {"--prompt-audio": request.prompt_audio, "--emotion-audio": request.emotion_audio}
    check_places(options.output, rows, {"INPUT": source, "--recipe": recipe, **recordings})
    return settings


def announce(rows: Sequence[Row], missing: Sequence[Row], records: Records) -> None:
    """One line on what there is to do, and one if ids had to be changed to be names of files."""
    status = statuses(records, rows)
    before = ""
    if records.outcomes:
        before = f"{status.count('done')} done and {status.count('failed')} failed before, "
    loading = ", loading the models" if missing else ""
    say(f"{len(rows)} texts: {before}{len(missing)} to do{loading}", error=True)
    changed = [row for row in rows if file_name(row.id) != row.id]
    if changed:
        say(
            f"{len(changed)} ids hold what names of files cannot: "
            f"{changed[0].id!r} is written to {changed[0].file}",
            error=True,
        )


def statuses(records: Records, rows: Sequence[Row]) -> list[str | None]:
    """Of each row "done" or "failed"; None if it is still to do."""
    found = (records.outcomes.get(row.id) for row in rows)
    return [None if outcome is None else outcome.status for outcome in found]


@dataclass(slots=True)
class Run:
    """Searches the missing rows, and keeps what comes of each."""

    rows: Sequence[Row]
    missing: Sequence[Row]
    settings: Settings
    records: Records
    request: RequestOptions = field(default_factory=RequestOptions)
    began: float = field(default_factory=time.monotonic)

    def speak(self, in_flight: int | None) -> None:
        """Raises Interrupted when a signal has come, with everything finished kept."""
        from experiments.runs.view import RunView

        session = self.records.sessions + 1
        with closing(self.settings.searcher()) as searcher:
            self.began = time.monotonic()
            warn_of_prompts(searcher, own_voices(self.missing))
            by_id = {row.id: row for row in self.missing}
            # those that are tried again count as not yet done
            before = statuses(self.records, [row for row in self.rows if row.id not in by_id])
            metrics = choose_metrics(self.settings.models.verifiers) | judge_metrics(
                self.settings.models.judges
            )
            actors = ActorLog(self.records.folder, session, getattr(searcher.backend, "workers", list))
            view = RunView(len(self.rows), before.count("done"), before.count("failed"), metrics, actors.look)
            requests, how = self.requests(view, session), self.settings
            more: dict[str, Any] = {"budget": how.budget, "in_flight": in_flight, "progress": view.watch}
            if self.request.searches_prompts:
                arms = (self.arms(request, by_id[request.id]) for request in requests)
                outcomes = search_arms(searcher, arms, how.strategy, **more)
            else:
                outcomes = searcher.run_many(requests, how.strategy, **more)
            with view, actors, closing(outcomes):
                for outcome in outcomes:
                    self.take(outcome, by_id[outcome.request.id], session, view)

    def take(self, outcome: SearchResult | Failure, row: Row, session: int, view: RunView) -> None:
        """One text is done, or has failed."""
        with interrupts.held():
            if isinstance(outcome, SearchResult):
                self.keep(row, outcome, session)
                view.finished(outcome)
            else:
                self.lose(row, outcome.error, session)
                view.lost(row.id)

    def requests(self, view: RunView, session: int) -> Iterator[Request]:
        """Made as there is room for them; a recording that turns out to be no good fails its own row."""
        for row in self.missing:
            try:
                request = row.request()
                if row.emotion_audio != self.request.emotion_audio:
                    check_clip(request)
            except LlasaError as error:
                with interrupts.held():
                    self.lose(row, error, session)
                    view.lost(row.id)
                continue
            yield request

    def arms(self, request: Request, row: Row) -> list[Arm]:
        """The text of a row with each recording of a prompt search."""
        return arms_of(request, prompts_of(self.request, row.prompt))

    def keep(self, row: Row, result: SearchResult, session: int) -> None:
        """The audio first, then the record that says that it is there."""
        audio_sha256 = self.records.write_audio(row.file, wav_bytes(result.waveform))
        winner, found = result.winner, result.as_dict()
        inputs = {**row.inputs, **(inputs_of_arm(result.arm) if result.arm else {})}
        self.records.append(
            {
                "id": row.id,
                "status": "done",
                "text": row.text,
                "asked": row.asked,
                "audio": row.file,
                "audio_sha256": audio_sha256,
                "seconds": round(winner.seconds, 4),
                "scores": {name: score_as_dict(score) for name, score in winner.scores.items()},
                "judged": {spec: score_as_dict(score) for spec, score in winner.judged.items()},
                "satisfied": result.satisfied,
                "missed_emotion": result.missed_emotion,
                **({"leak": found["leak"]} if "leak" in found else {}),
                "stopped": result.stopped,
                "cut_off": winner.cut_off,
                "ends": list(result.ends),
                "stepped_back": list(result.stepped_back),
                "tokens": len(winner.tokens),
                "candidates": len(result.candidates),
                "warnings": list(result.request.warnings),
                "ledger": found["ledger"],
                "waveform_sha256": found["waveform_sha256"],
                "session": session,
                "elapsed": round(time.monotonic() - self.began, 3),
                **({"arm": result.arm, "arms": found["arms"]} if result.arms else {}),
                "manifest": {**found["manifest"], "inputs": inputs},
            }
        )

    def lose(self, row: Row, error: Exception, session: int) -> None:
        """Its error in a line; of one that nobody foresaw also where it came from."""
        expected = isinstance(error, LlasaError)
        trace = "" if expected else "".join(traceback.format_exception(error))[-TRACEBACK_CHARACTERS:]
        line = " ".join(str(error).split())
        self.records.append(
            {
                "id": row.id,
                "status": "failed",
                "text": row.text,
                "asked": row.asked,
                "error": line if expected and line else f"{type(error).__name__}: {line}",
                **({"traceback": trace} if trace else {}),
                "session": session,
                "elapsed": round(time.monotonic() - self.began, 3),
            }
        )


def own_voices(rows: Sequence[Row]) -> Iterator[Request]:
    """One request for each voice prompt that is not a shipped one; what cannot be read fails its own row."""
    voices = {(row.prompt_audio, row.prompt_text): row for row in rows if row.prompt_audio and not row.voice}
    for row in voices.values():
        with suppress(LlasaError):
            yield row.request()


def judge_metrics(specs: Sequence[str]) -> dict[str, bool]:
    """Whether higher is better, by spec."""
    return {spec: next(iter(choose_metrics((spec,)).values())) for spec in specs}


def conclude(
    records: Records, rows: Sequence[Row], settings: Settings, interrupted: interrupts.Interrupted | None
) -> int:
    """Prints what the run came to so far and writes the table; the exit code."""
    from experiments.runs.table import print_summary, summarize

    folder = records.folder
    summary = summarize(records.counted({row.id for row in rows}), records.wall)
    write_whole(folder / TABLE, summary.as_csv())
    terminal = Terminal()
    print_summary(summary, terminal)
    status = statuses(records, rows)
    done, failed = status.count("done"), status.count("failed")
    ends = ", ".join(counted_ends(summary.ends, settings.strategy.bounds))
    terminal.say(
        f"{done} of {len(rows)} texts done, {failed} failed{'; ' if ends else ''}{ends}: "
        f"{folder}/records.jsonl, audio/, {TABLE}"
    )
    for id, error in list(summary.failed.items())[:SHOWN]:
        terminal.say(f"failed: {id}: {error}")
    if len(summary.failed) > SHOWN:
        terminal.say(f"and {len(summary.failed) - SHOWN} more, in {folder}/records.jsonl")
    if interrupted:
        terminal.say(f"{interrupted}: the same command with --resume goes on")
        return interrupted.exit_code
    if failed:
        terminal.say("--resume --retry-failed tries them again")
    if failed:
        return EXIT_FAILED
    unmet = summary.ends[UNMET] if settings.bounds else 0
    return EXIT_UNMET if unmet or summary.ends[NOT_REACHED] else 0


def counted_ends(ends: Mapping[str, int], bounds: Sequence[str]) -> list[str]:
    """`5 cut off`, `2 without a candidate that met wer<=0`: those that there are."""
    unmet = f"without a candidate that met {', '.join(bounds)}" if bounds else "that could not be judged"
    words = {
        CUT_OFF: "cut off",
        NOTHING_COMPLETE: "stopped before anything was complete",
        SHORTENED: "without the end of the text",
        UNMET: unmet,
        NOT_REACHED: "without the emotion that was asked for",
    }
    return [f"{ends[name]} {words[name]}" for name in ENDS if ends[name]]
