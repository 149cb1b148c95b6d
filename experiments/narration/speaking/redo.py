"""One chunk of a narration again, by hand."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments import interrupts
from experiments.config import SearchOptions
from experiments.narration.speaking.folder import SpokenFolder
from experiments.narration.speaking.ladder import LADDER, Limits, Rung, seed_of
from experiments.narration.speaking.planning import row_of, settings_of
from experiments.narration.speaking.speak import added, attempt_of, dumped
from experiments.narration.speaking.speech import speech_of
from experiments.narration.speaking.standard import Standard, standard_of
from experiments.narration.takes import Narration, PlannedChunk, Take, read_narration
from experiments.request_options import RequestOptions
from llasa_core.errors import UserError, nearest
from llasa_core.paths import shown
from llasa_core.presets import find_preset
from llasa_core.text import spoken_form
from search.backends.ray.options import RayOptions
from search.engine import Failure


@dataclass(frozen=True, slots=True)
class Again:
    """What is to be otherwise; None: as it was. n: most candidates."""

    seed: int | None = None
    n: int = 16
    text: str | None = None
    voice: str | None = None
    prompt_audio: Path | None = None
    prompt_text: str | None = None

    @property
    def another_voice(self) -> bool:
        return bool(self.voice or self.prompt_audio or self.prompt_text)


def redo(folder: Path, id: str, again: Again, ray: RayOptions | None = None) -> Take:
    """The new take of the chunk with this id, or whose id begins so.

    Raises UserError for a folder without narration, an id that is none of it, a chunk that was not spoken
    yet, and for whatever cannot be spoken, before any model is loaded.
    """
    narration = read_narration(folder)
    chunk, before = find_chunk(narration, id)
    options = voice_of(before, again)
    standard, search = standard_of_plan(narration, options, ray)
    count = before.redo + 1
    seed = seed_of(narration.plan.seed, chunk.key, "redo", count) if again.seed is None else again.seed
    text = before.text if again.text is None else again.text
    emotion = standard.emotion_of(chunk.emotion)
    row = row_of(options, text, f"{chunk.key}-redo", seed, narration.plan.language, emotion)
    rung = Rung({"name": "adaptive", "n": again.n, "first": min(2, again.n), "wide": 1}, again.n)
    settings = settings_of(search, standard, Limits(ladder=(rung,)), row)
    settings.check_device()
    request = row.request()
    with interrupts.guarded(), SpokenFolder(folder) as spoken:
        began = time.monotonic()
        with closing(settings.searcher()) as searcher:
            outcome = next(iter(searcher.run_many((request,), settings.strategy)))
        if isinstance(outcome, Failure):
            raise outcome.error
        speech = speech_of(outcome, standard, row.inputs)
        number = max((one.rung for one in before.attempts), default=len(LADDER)) + 1
        attempt = attempt_of(speech, number, rung, (text,), seed)
        with interrupts.held():
            return spoken.keep(
                chunk,
                speech,
                best=True,
                asked=row.asked,
                name=f"{chunk.key}.redo{count}",
                values={
                    "text": text,
                    "spoken": spoken_form(text, narration.plan.language).spoken,
                    "seed": seed,
                    "attempts": [*dumped(before), attempt],
                    "ledger": added(before, speech),
                    "redo": count,
                    "session": spoken.sessions + 1,
                    "elapsed": round(time.monotonic() - began, 3),
                },
            )


def find_chunk(narration: Narration, id: str) -> tuple[PlannedChunk, Take]:
    """Raises UserError unless exactly one chunk has an id that begins so, and was spoken."""
    found = [chunk for chunk in narration.plan.chunks if id and chunk.id.startswith(id)]
    where = shown(narration.folder)
    if not found:
        known = nearest(id, [chunk.id for chunk in narration.plan.chunks])
        raise UserError(f"{where} has no chunk {id!r}{known}: look for the ids in its plan.json")
    if len(found) > 1:
        raise UserError(f"{len(found)} chunks of {where} begin with {id!r}: give more of the id")
    take = narration.takes.get(found[0].key)
    if take is None:
        raise UserError(f"the chunk {found[0].id} of {where} is not spoken yet: narrate the book first")
    return found[0], take


def voice_of(take: Take, again: Again) -> RequestOptions:
    """The voice that is asked for, or that of the take."""
    if again.another_voice:
        return RequestOptions(
            prompt_audio=again.prompt_audio, prompt_text=again.prompt_text, voice=again.voice
        )
    inputs: dict[str, Any] = take.manifests[0].get("inputs", {})
    audio = inputs.get("prompt_audio")
    if audio:
        return RequestOptions(prompt_audio=Path(audio), prompt_text=take.asked["prompt_text"])
    return RequestOptions(voice=inputs.get("voice"), no_prompt=not inputs.get("voice"))


def standard_of_plan(
    narration: Narration, options: RequestOptions, ray: RayOptions | None
) -> tuple[Standard, SearchOptions]:
    """What the folder was spoken with. Raises UserError if a part of it is not there any more."""
    told = narration.plan.settings
    known = {name: value for name, value in told["search"].items() if value is not None}
    try:
        search = replace(SearchOptions(**known), ray=ray)
    except TypeError as error:
        raise UserError(f"the plan of {shown(narration.folder)} cannot be read ({error})") from None
    standard = standard_of(
        find_preset(search.preset),
        narration.plan.language,
        told["ears"],
        pace=told["pace"],
        voice=not options.no_prompt,
        emotion=any(chunk.emotion for chunk in narration.plan.chunks),
    )
    return standard, search
