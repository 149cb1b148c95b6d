"""What is to be spoken, with what: the plan of a folder, from a book and the options of the command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from experiments.config import SearchOptions, Settings
from experiments.documents import checked, read_json
from experiments.files import check_version, file_hash
from experiments.narration.book import Book, beginning
from experiments.narration.chunks import Chunk
from experiments.narration.readable import alphabet_of, check_readable
from experiments.narration.speaking.ladder import Limits, seed_of
from experiments.narration.speaking.standard import Standard
from experiments.narration.takes import PLAN, Plan, PlannedChapter, PlannedChunk, Take
from experiments.prompts import in_style
from experiments.request_options import RequestOptions, choose_voice
from experiments.runs.dataset import Row, check_texts, look_at_recordings
from experiments.runs.description import differences
from llasa_core.audio import AudioError
from llasa_core.emotion import Emotion
from llasa_core.errors import UserError
from llasa_core.paths import shown
from llasa_core.presets import find_preset
from llasa_core.text import check_text
from search.emotion import check_emotion
from search.results.candidate import plain

VoiceOf = Callable[[str | None], RequestOptions]
"""The options of a request in the voice of a speaker; None: the narrator's."""


@dataclass(frozen=True)
class Speaking:
    """All that a narration is spoken with. voice_of: by speaker. search: as the user said it, without the
    verifiers; settings: what is made of it."""

    plan: Plan
    standard: Standard
    search: SearchOptions
    settings: Settings
    limits: Limits
    voice_of: VoiceOf

    def row(self, chunk: PlannedChunk, text: str, *parts: object, seed: int | None = None) -> Row:
        """What one search of a chunk asks for. parts: what tells it from others of the chunk; the seed
        follows from them, and from the chunk and the book's seed, unless one is given."""
        options = self.options_of(chunk)
        name = "-".join(map(str, (chunk.key, *parts)))
        found = seed_of(self.plan.seed, chunk.key, *parts) if seed is None else seed
        emotion = self.standard.emotion_of(chunk.emotion)
        return row_of(options, text, name, found, self.plan.language, emotion)

    def options_of(self, chunk: PlannedChunk) -> RequestOptions:
        """The voice of its speaker: with `voice_styles` the recording in the style of the emotion that the
        chunk names, where there is one."""
        options = self.voice_of(chunk.speaker)
        found = in_style(options, chunk.emotion) if options.voice_styles else None
        return options if found is None else replace(options, voice=found.name)

    @property
    def note_on_styles(self) -> str:
        """One line on the chunks whose voice has a recording in the style of their emotion; "" if there are
        none and none were asked for."""
        found = [in_style(self.voice_of(chunk.speaker), chunk.emotion) for chunk in self.plan.chunks]
        styled = sum(one is not None for one in found)
        if self.voice_of(None).voice_styles:
            told = f"{styled or 'no'} chunks name an emotion that their voice has a recording of"
            return f"--voice-styles: {told}"
        if not styled:
            return ""
        return f"the voices of {styled} chunks have a recording in their emotion: try --voice-styles"

    def asked(self, chunk: PlannedChunk) -> dict[str, Any]:
        """What decides the take of a chunk beside the settings: text, voice, language, emotion and the book's
        seed."""
        return self.row(chunk, chunk.text, seed=self.plan.seed).asked


def row_of(
    options: RequestOptions, text: str, name: str, seed: int, language: str, emotion: str | None
) -> Row:
    """Raises UserError for a voice that is not there, and an emotion that cannot be read."""
    voice = choose_voice(options)
    return Row(
        where=f"the chunk {name}",
        id=name,
        text=text,
        language=language,
        seed=seed,
        prompt_audio=None if voice is None else voice.path,
        prompt_text="" if voice is None else check_text(voice.text),
        voice=None if voice is None else voice.name or None,
        emotion=None if emotion is None else str(Emotion.parse(emotion)),
        prompt_sha256=None if voice is None else file_hash(voice.path),
    )


def planned(chunks: Sequence[Chunk]) -> list[PlannedChunk]:
    """As the plan has them."""
    return [
        PlannedChunk(
            id=chunk.id,
            key=chunk.key,
            number=number,
            chapter=chunk.chapter,
            paragraph=chunk.paragraph,
            place=chunk.place,
            ends=chunk.ends.value,
            written=chunk.written,
            text=chunk.text,
            spoken=chunk.spoken,
            predicted=chunk.seconds,
            guarded=chunk.guarded,
            heading=chunk.heading,
            speaker=chunk.speaker,
            emotion=chunk.emotion,
            lexicon=list(chunk.lexicon),
        )
        for number, chunk in enumerate(chunks)
    ]


def speaking(
    book: Book,
    chunks: Sequence[Chunk],
    standard: Standard,
    search: SearchOptions,
    limits: Limits,
    seed: int,
    voice_of: VoiceOf,
) -> Speaking:
    """chunks: of the chapters that are to be spoken. seed: of the book.

    Raises UserError or VerifierError for whatever cannot be spoken; loads no model.
    """
    if not chunks:
        raise UserError("there is nothing to speak: choose chapters that hold words")
    check_readable(chunks, alphabet_of(find_preset(search.preset)))
    row = partial(row_of, voice_of(chunks[0].speaker), chunks[0].text, "first", 0, book.language)
    settings = settings_of(search, standard, limits, row(standard.emotion_of(None)))
    _check_emotions(chunks, settings.models.verifiers, row)
    settings.check_device()
    plan = Plan(
        schema=1,
        title=book.title,
        language=book.language,
        source=str(book.source.path.absolute()),
        source_sha256=book.source.sha256,
        seed=seed,
        settings=described(standard, search, settings),
        ears={ear.spec: ear.family for ear in standard.ears},
        one_family=standard.one_family,
        chapters=[
            PlannedChapter(number=one.number, title=one.title)
            for one in book.chapters
            if any(chunk.chapter == one.number for chunk in chunks)
        ],
        chunks=planned(chunks),
    )
    found = Speaking(plan, standard, search, settings, limits, voice_of)
    _check_rows(found)
    return found


def _check_rows(speaking: Speaking) -> None:
    """Raises UserError for recordings of voices that cannot be used, and for chunks that the model has no
    room for behind them."""
    looked_at: set[tuple[str, Path]] = set()
    rows = []
    for chunk in speaking.plan.chunks:
        place = f"chunk {chunk.id}, {beginning(chunk.text)!r}"
        row = replace(speaking.row(chunk, chunk.text, 0), where=place)
        try:
            look_at_recordings(row, looked_at)
        except (UserError, AudioError) as error:
            raise UserError(f"the voice of {chunk.speaker or 'the narrator'}: {error}") from error
        rows.append(row)
    models = speaking.settings.models
    check_texts(rows, speaking.settings.generator_source, models.max_seconds, "chunks")


def _check_emotions(chunks: Sequence[Chunk], verifiers: Sequence[str], row: Callable[[str], Row]) -> None:
    """Raises UserError for the first chunk whose emotion is none that is judged."""
    for emotion, chunk in {one.emotion: one for one in reversed(chunks) if one.emotion}.items():
        try:
            if Emotion.parse(emotion).dimensions is not None:
                raise UserError(f"{emotion} is no label: name one, or a mix of them, as in [Alice, sad]")
            check_emotion(verifiers, row(emotion))
        except UserError as error:
            raise UserError(f"the emotion of {chunk.text[:40]!r}: {error}") from None


def settings_of(search: SearchOptions, standard: Standard, limits: Limits, row: Row) -> Settings:
    """The settings of the first rung; the models of all."""
    first = {**limits.ladder[0].strategy, "select": standard.select}
    chosen = replace(search, strategy=first, verifiers=standard.verifiers, judges=(), no_judge=True)
    settings = Settings.from_options(chosen, row)
    settings.check_emotion(row)
    return settings


def described(standard: Standard, search: SearchOptions, settings: Settings) -> dict[str, Any]:
    """What decides the takes beside the text, the voices and the seed; and what makes it again."""
    models = plain(settings.describe(0)["models"])
    del models["threads"]
    told = {
        name: value for name, value in asdict(search).items() if name not in ("ray", "verifiers", "judges")
    }
    return {
        "models": models,
        "select": standard.select,
        "pace": standard.pace,
        "ears": [ear.spec for ear in standard.ears],
        "search": plain(told),
    }


def check_folder_of(folder: Path, plan: Plan) -> None:
    """Raises UserError if the folder holds a narration that was spoken with other settings."""
    path = folder / PLAN
    if not path.exists():
        return
    place = shown(path)
    told = checked(Plan, check_version(read_json(path, "the plan"), place), place)
    then = {"seed": told.seed, "language": told.language, **without_search(told.settings)}
    now = {"seed": plan.seed, "language": plan.language, **without_search(plan.settings)}
    if found := differences(then, now):
        raise UserError(
            f"{shown(folder)} was spoken otherwise: {'; '.join(found[:3])}; ask for the same, or choose "
            "another folder with -o"
        )


def without_search(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide the takes: of `search` all that matters is in the models."""
    return {name: value for name, value in settings.items() if name != "search"}


def of_another_voice(takes: Mapping[str, Take], speaking: Speaking) -> list[str]:
    """Ids of the chunks that were done again by hand and have another voice than the plan gives them."""
    found = []
    for chunk in speaking.plan.chunks:
        take = takes.get(chunk.key)
        if take is None or not take.redo:
            continue
        now = speaking.asked(chunk)
        if any(take.asked.get(name) != now[name] for name in ("voice", "prompt_text", "prompt_sha256")):
            found.append(chunk.id)
    return found


def changed(takes: Mapping[str, Take], speaking: Speaking) -> list[str]:
    """Keys of the chunks whose voice is another one than when they were spoken; not of those done again by
    hand."""
    return [
        chunk.key
        for chunk in speaking.plan.chunks
        if (take := takes.get(chunk.key)) and not take.redo and take.asked != speaking.asked(chunk)
    ]
