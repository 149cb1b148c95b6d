"""`llasa-search models`: the parts of each preset, where they are or would come from, and their licences."""

from dataclasses import dataclass

import click
from rich.table import Table

from experiments.cli.commands import Command
from experiments.terminal import UNWRAPPED, Terminal
from llasa_core.presets import PRESETS, Preset, SourceStatus, source_status
from llasa_core.voices import shipped_voices
from verifiers import catalogue


@dataclass(frozen=True)
class Part:
    """One line of the table."""

    preset: str
    role: str
    source: str
    state: str
    licence: str


EXAMPLES = """\
  what each preset is made of, and whether it is here:
    llasa-search models
  then, for instance:
    llasa-search synth "The train is late." --preset nano --voice kal
"""


@click.command(cls=Command, examples=EXAMPLES)
def command() -> None:
    """List the models of each preset, where they come from, their licences, and the shipped voices."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("preset", "part", "source", "here", "licence"):
        table.add_column(heading, overflow="fold")
    for preset in PRESETS.values():
        for part in preset_parts(preset):
            table.add_row(part.preset, part.role, part.source, part.state, part.licence)
    terminal = Terminal(widest=UNWRAPPED)
    terminal.print(table)
    voices = ", ".join(voice.name for voice in shipped_voices())
    terminal.say(f"voices: {voices or 'none shipped'}")


def preset_parts(preset: Preset) -> list[Part]:
    """Generator, codec, verifiers and judges of a preset, what stands in for those that are not installed,
    and the verifiers that are used if named."""
    parts = [
        Part(preset.name, role, source, describe(source_status(source)), licence)
        for role, source, licence in (
            ("generator", preset.generator, preset.generator_licence),
            ("codec", preset.codec, preset.codec_licence),
        )
    ]
    for role, specs in (
        ("verifier", preset.verifiers),
        ("judge", preset.judges),
        ("optional", preset.optional),
    ):
        for spec in specs:
            release = catalogue.release(spec)
            parts.append(Part(preset.name, role, spec, release.state, release.licence))
            if instead := preset.instead.get(spec):
                release = catalogue.release(instead)
                parts.append(Part(preset.name, f"else {role}", instead, release.state, release.licence))
    return parts


def describe(status: SourceStatus) -> str:
    """`yes` or `no`, and from where."""
    if status.kind == "missing":
        return "no: missing from this installation"
    return f"yes: {status.kind}" if status.installed else f"no: from the {status.kind}"
