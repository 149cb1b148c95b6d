"""The protocols that there are, by name."""

from __future__ import annotations

from experiments.studies.protocols import emotion, librispeech, minimax, nano, seed_tts
from experiments.studies.protocols.protocol import Protocol
from llasa_core.errors import UserError, nearest

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for module in (seed_tts, librispeech, emotion, minimax, nano)
    for protocol in module.PROTOCOLS
}


def find(name: str) -> Protocol:
    """Raises UserError with the nearest name for an unknown one."""
    if name not in PROTOCOLS:
        raise UserError(f"no protocol {name!r}{nearest(name, PROTOCOLS)}")
    return PROTOCOLS[name]


def explain() -> str:
    """A line for each, those of MiniMax together, for help."""
    single = {name: one.about for name, one in PROTOCOLS.items() if not name.startswith("minimax-")}
    single["minimax-LANGUAGE"] = (
        f"zero-shot voices in {', '.join(minimax.LANGUAGES)} (MiniMax multilingual test set)"
    )
    return "\n".join(f"  {name:<26}{about}" for name, about in single.items())
