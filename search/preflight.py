"""What can be found out about a request before any weights are loaded."""

from collections.abc import Iterable

from llasa_core.audio import SAMPLE_RATE
from llasa_core.errors import UserError
from llasa_core.loading import context_tokens, load_tokenizer
from llasa_core.prompt import build_prompt, check_room
from llasa_core.request import Request
from llasa_core.text import spell_numbers
from verifiers import registry

SAMPLES_PER_CODE = SAMPLE_RATE // 50


def spoken_text(request: Request) -> str:
    """The text as it is spoken and as errors are counted against: digits of English spelled out."""
    return spell_numbers(request.text) if request.language == "en" else request.text


NEEDED = {
    "reference": ("compares with a voice", "prompt_audio and prompt_text"),
    "resynthesis": ("compares with a voice", "prompt_audio and prompt_text"),
    "emotion": ("judges the emotion", "emotion"),
    "emotion_reference": ("compares with a recording of the emotion", "emotion_audio"),
}
"""Fields of a verifier's target: what it does with them, and the fields of a request that they come from."""


def check_target(specs: Iterable[str], request: Request) -> None:
    """Raises UserError for a verifier that judges against what the request does not have."""
    given = {
        "reference": request.prompt_audio,
        "resynthesis": request.prompt_audio,
        "emotion": request.emotion,
        "emotion_reference": request.emotion_audio,
    }
    for spec in specs:
        for field in registry.needs(spec):
            if field in given and given[field] is None:
                does, source = NEEDED[field]
                raise UserError(
                    f"{spec} {does}, and the request has none: give the request {source}, or load the models "
                    f"without this verifier or judge"
                )


def check_prompt(generator: str, request: Request) -> int:
    """Tokens of room for speech behind the prompt, from the generator's tokenizer and configuration alone.

    Raises UserError for a folder or hub id without a readable tokenizer, a tokenizer without speech tokens,
    and a request that leaves no room. The number of codes of the voice prompt follows from its length.
    """
    tokenizer = load_tokenizer(generator)
    audio = request.prompt_audio
    codes = 0 if audio is None else len(audio) // SAMPLES_PER_CODE + 1
    ids = build_prompt(tokenizer, spoken_text(request), request.prompt_text, [0] * codes)
    return check_room(len(ids), context_tokens(generator))
