"""`llasa-search models`: the parts of each preset, where they are or would come from, and their licences."""

import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.voices import shipped_voices
from llasa_core.presets import PRESETS, Preset, SourceStatus, source_status
from verifiers.loading import NANO
from verifiers.spec import Spec

VERIFIER_LICENCES = {
    "whisper:nano": "Apache-2.0",
    "hubert-ctc:nano": "Apache-2.0",
    "wavlm-sv:nano": "Apache-2.0",
    "whisper:large-v3": "MIT",
    "wavlm-sv:microsoft/wavlm-base-plus-sv": "CC BY-SA 3.0",
    "hubert-ctc:facebook/hubert-large-ls960-ft": "Apache-2.0",
}
"""Of third-party weights: confirm them on their model cards, which could not be read when this was written."""


@dataclass(frozen=True)
class Part:
    """One line of the table."""

    preset: str
    role: str
    source: str
    state: str
    licence: str


def print_models() -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("preset", "part", "source", "here", "licence"):
        table.add_column(heading, overflow="fold")
    for preset in PRESETS.values():
        for part in preset_parts(preset):
            table.add_row(part.preset, part.role, part.source, part.state, part.licence)
    console = Console()
    console.print(table)
    voices = ", ".join(voice.name for voice in shipped_voices())
    console.print(f"voices: {voices or 'none shipped'}", highlight=False)


def preset_parts(preset: Preset) -> list[Part]:
    """Generator, codec, verifiers and judges of a preset."""
    parts = [
        Part(preset.name, role, source, describe(source_status(source)), licence)
        for role, source, licence in (
            ("generator", preset.generator, preset.generator_licence),
            ("codec", preset.codec, preset.codec_licence),
        )
    ]
    for role, specs in (("verifier", preset.verifiers), ("judge", preset.judges)):
        for spec in specs:
            licence = VERIFIER_LICENCES.get(spec, "see its source")
            parts.append(Part(preset.name, role, spec, verifier_state(spec), licence))
    return parts


def describe(status: SourceStatus) -> str:
    """`yes` or `no`, and from where."""
    if status.kind == "missing":
        return "no: missing from this installation"
    return f"yes: {status.kind}" if status.installed else f"no: from the {status.kind}"


def verifier_state(spec: str) -> str:
    """The same for the source of a verifier: packaged, a folder, one of Whisper's own names, or a hub id."""
    parsed = Spec.parse(spec)
    if parsed.source == "nano":
        present = (NANO / parsed.kind / "config.json").is_file()
        return describe(SourceStatus("packaged" if present else "missing", parsed.source, present))
    if parsed.kind == "whisper" and "/" not in parsed.source:
        present = (whisper_cache() / f"{parsed.source}.pt").is_file()
        return "yes: whisper's cache" if present else "no: fetched by openai-whisper"
    return describe(source_status(parsed.source))


def whisper_cache() -> Path:
    """Where openai-whisper keeps what it fetched."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "whisper"
