"""Named sets of models, and where a source comes from. No flag tells one preset from another: only names
do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llasa_core.errors import UserError, nearest
from llasa_core.hub import cached, is_hub_id
from llasa_core.paths import user_path
from llasa_core.sampling import MODEL_CARD, Sampling

PACKAGED = {
    "nano/generator": Path(__file__).parent / "nano" / "generator",
    "nano/codec": Path(__file__).parent / "nano" / "codec",
}
"""Sources that are shipped inside this package."""


DIMENSIONAL = "dimensional:audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim"
"""Arousal, valence and dominance (CC BY-NC-SA 4.0: research only)."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Sources of a generator, a codec and verifiers, with the sampling that suits them.

    A source is a packaged name, a local folder or a hub id; verifiers and judges are specs of the verifier
    registry.
    verifiers search; judges are held out, and none has the weights of a verifier.
    optional: specs of further verifiers; whoever names one of these kinds without a source means this one.
    instead: by spec of a verifier or judge, what stands in where its weights are not installed; "": nothing.
    """

    name: str
    generator: str
    codec: str
    verifiers: tuple[str, ...]
    judges: tuple[str, ...]
    generator_licence: str
    codec_licence: str
    sampling: Sampling = field(default_factory=Sampling)
    optional: tuple[str, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)


def _llasa(size: str) -> Preset:
    return Preset(
        name=f"llasa-{size.lower()}",
        generator=f"HKUSTAudio/Llasa-{size}",
        codec="HKUSTAudio/xcodec2-hf",
        verifiers=("whisper:large-v3", "wavlm-sv:microsoft/wavlm-base-plus-sv"),
        judges=("hubert-ctc:facebook/hubert-large-ls960-ft",),
        generator_licence="CC BY-NC 4.0",
        codec_licence="CC BY-NC 4.0",
        sampling=MODEL_CARD,
        optional=("emotion2vec:iic/emotion2vec_plus_large", DIMENSIONAL, "length:llasa"),
    )


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="nano",
            generator="nano/generator",
            codec="nano/codec",
            verifiers=("whisper:tiny.en?window=auto", "wavlm-sv:nano"),
            judges=("whisper:base", "ge2e", "dnsmos"),
            generator_licence="Apache-2.0",
            codec_licence="Apache-2.0",
            sampling=Sampling(temperature=0.8, top_p=0.95),
            optional=("emotion2vec:nano", DIMENSIONAL, "length:nano"),
            instead={
                "whisper:tiny.en?window=auto": "whisper:nano",
                "whisper:base": "hubert-ctc:nano",
                "ge2e": "",
                "dnsmos": "",
            },
        ),
        _llasa("1B"),
        _llasa("3B"),
        _llasa("8B"),
    )
}


def find_preset(name: str) -> Preset:
    """The preset of that name. Raises UserError with the nearest name for an unknown one."""
    if preset := PRESETS.get(name):
        return preset
    raise UserError(f"unknown preset {name!r}{nearest(name, PRESETS)}")


def resolve_source(source: str) -> str:
    """The local folder of a packaged or local source, or the hub id itself; nothing is fetched.

    Raises UserError for something that is neither a folder with a config.json nor shaped like a hub id.
    """
    folder = PACKAGED[source] if source in PACKAGED else user_path(source, "model")
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UserError(
                f"{folder} has no config.json: give the folder that `save_pretrained` wrote, with "
                "all its files"
            )
        return str(folder)
    if source in PACKAGED:
        raise UserError(
            f'the packaged model "{source}" is missing from this installation: reinstall llasa-search'
        )
    if folder.exists() or not is_hub_id(source):
        raise UserError(f'"{source}" is no model folder and no hub id: give a folder or OWNER/NAME')
    return source


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """Where a source would come from: kind is "packaged", "folder", "hub cache", "hub" or "missing"."""

    kind: str
    path: str
    installed: bool


def source_status(source: str) -> SourceStatus:
    """Says where a source would come from, without fetching anything and without raising UserError."""
    try:
        resolved = resolve_source(source)
    except UserError:
        return SourceStatus("missing", str(PACKAGED.get(source, source)), False)
    if resolved != source or Path(source).is_dir():
        return SourceStatus("packaged" if source in PACKAGED else "folder", resolved, True)
    if config := cached(source):
        return SourceStatus("hub cache", str(config.parent), True)
    return SourceStatus("hub", f"https://huggingface.co/{source}", False)
