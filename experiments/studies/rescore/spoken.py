"""sweep.json once more: what was asked for and by which models, so that candidates can be decoded again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from experiments.documents import Schema, checked, read_json
from experiments.files import check_version, file_hash
from experiments.runs.dataset import Row
from experiments.studies.sweep_table import SURROUNDINGS
from llasa_core.errors import UserError
from llasa_core.paths import shown
from llasa_core.request import Request
from llasa_core.voices import find_voice
from search.models import ModelSpec
from search.results.candidate import plain
from search.results.manifest_schema import InputsRecord, ModelsRecord


class Asked(Schema):
    """As `Row.asked` has it."""

    model_config = ConfigDict(extra="ignore")
    text: str
    language: str
    prompt_text: str
    prompt_sha256: str | None
    emotion: str | None
    emotion_sha256: str | None
    as_written: bool = False


class Spoken(Schema):
    """The texts by id, where their recordings are, and the models."""

    model_config = ConfigDict(extra="ignore")
    texts: dict[str, Asked]
    input: dict[str, InputsRecord]
    models: list[dict[str, Any]]

    def request(self, utterance: str, seed: int) -> Request:
        """Raises UserError for a text that is not there, and for a recording that has changed."""
        if utterance not in self.texts or utterance not in self.input:
            raise UserError(f"{SURROUNDINGS} has no text {utterance!r}: it belongs to another sweep")
        asked, place = self.texts[utterance], self.input[utterance]
        prompt = find_voice(place.voice).path if place.voice else _path(place.prompt_audio)
        emotion = _path(place.emotion_audio)
        for path, content in ((prompt, asked.prompt_sha256), (emotion, asked.emotion_sha256)):
            if path is not None and file_hash(path) != content:
                raise UserError(f"{shown(path)} is not the recording of the sweep: restore it")
        row = Row(
            where=utterance,
            id=utterance,
            text=asked.text,
            language=asked.language,
            seed=seed,
            prompt_audio=prompt,
            prompt_text=asked.prompt_text,
            emotion=asked.emotion,
            emotion_audio=emotion,
            as_written=asked.as_written,
        )
        return row.request()

    def spec(self, preset: str, device: str) -> ModelSpec:
        """The models of a preset, without judges. Presets differ in nothing else that scores depend on.

        Raises UserError where the codec or a verifier is not the one of the sweep.
        """
        told = next((one for one in self.models if one.get("preset") == preset), None)
        if told is None:
            raise UserError(f"{SURROUNDINGS} has no models of the preset {preset!r}: it is another sweep's")
        checked(ModelsRecord, {**told, "device": device}, SURROUNDINGS)
        spec = ModelSpec.from_dict({**told, "judges": [], "device": device})
        now = plain(spec.manifest(0))
        for part in ("codec", "verifiers"):
            if now[part] != told[part]:
                raise UserError(f"the {part} was {told[part]} and is {now[part]}: restore that of the sweep")
        return spec


def read_spoken(folder: Path) -> Spoken:
    """Raises UserError for a folder that is no sweep's."""
    path = folder / SURROUNDINGS
    found: Mapping[str, Any] = check_version(read_json(path, "the sweep"), shown(path))
    return checked(Spoken, found, f"the sweep {shown(path)}")


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)
