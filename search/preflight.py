"""What can be found out about a request before any weights are loaded."""

from collections.abc import Iterable
from functools import lru_cache

from llasa_core.audio import CODES_PER_SECOND, SAMPLE_RATE
from llasa_core.errors import UserError
from llasa_core.loading import context_tokens, load_tokenizer
from llasa_core.presets import PRESETS, resolve_source
from llasa_core.prompt import build_prompt, check_room
from llasa_core.request import Request
from llasa_core.text.alphabet import LLASA, NANO, Alphabet, unreadable
from llasa_core.text.length import predict_seconds
from search.emotion import emotion_of
from verifiers import registry

SAMPLES_PER_CODE = SAMPLE_RATE // CODES_PER_SECOND
SURE = 1.25
"""A text is refused if it is predicted to take so many times what there is room for: predictions of single
sentences are up to a quarter off."""

NEEDED = {
    "reference": ("compares with a voice", "prompt_audio and prompt_text"),
    "resynthesis": ("compares with a voice", "prompt_audio and prompt_text"),
    "emotion": ("judges the emotion", "emotion"),
    "dimensions": ("judges arousal, valence and dominance", 'emotion such as "arousal=0.8"'),
    "emotion_reference": ("compares with a recording of the emotion", "emotion_audio"),
}
"""Fields of a verifier's target: what it does with them, and the fields of a request that they come from."""


def check_target(specs: Iterable[str], request: Request) -> None:
    """Raises UserError for a verifier that judges against what the request does not have."""
    given = {
        "reference": request.prompt_audio,
        "resynthesis": request.prompt_audio,
        "emotion_reference": request.emotion_audio,
        **emotion_of(request.wanted),
    }
    for spec in specs:
        for field in registry.needs(spec):
            if field in given and given[field] is None:
                does, source = NEEDED[field]
                raise UserError(
                    f"{spec} {does}, and the request has none: give the request {source}, or load the models "
                    f"without this verifier or judge"
                )


def check_prompt(generator: str, request: Request, max_seconds: float | None = None) -> int:
    """Tokens of room for speech behind the prompt, from the generator's tokenizer and configuration alone.

    Raises UserError for a folder or hub id without a readable tokenizer, a tokenizer without speech tokens,
    a text that the model cannot read, and one that will not fit in the room, nor in `max_seconds`. The
    number of codes of the voice prompt follows from its length.
    """
    tokenizer = load_tokenizer(generator)
    audio = request.prompt_audio
    codes = 0 if audio is None else len(audio) // SAMPLES_PER_CODE + 1
    check_readable(generator, request)
    ids = build_prompt(tokenizer, request.spoken.spoken, request.spoken_prompt.spoken, [0] * codes)
    room = check_room(len(ids), context_tokens(generator))
    context = room / CODES_PER_SECOND
    longest = context if max_seconds is None else min(context, max_seconds)
    if (predicted := predicted_seconds(generator, request)) > SURE * longest:
        fits = predicted <= SURE * context
        more = f", or allow more with --max-seconds (at most {context:.1f})" if fits else ""
        if not fits and predicted <= SURE * (context + codes / CODES_PER_SECOND):
            taken = codes / CODES_PER_SECOND
            more = f", or give a shorter recording of the voice (it takes {taken:.1f} s of the room)"
        raise UserError(
            f"the text takes about {predicted:.1f} s to say, and there is room for {longest:.1f} s: "
            f"split it{more}"
        )
    return room


def predicted_seconds(generator: str, request: Request) -> float:
    """How long the model will take to say the text."""
    pace = "nano" if alphabet_of(generator) is NANO else "llasa"
    return predict_seconds(request.spoken.spoken, request.language, pace)


@lru_cache(maxsize=8)
def alphabet_of(generator: str) -> Alphabet:
    """What the model reads: English and Chinese, or the letters a to z if its tokenizer drops Chinese."""
    tokenizer = load_tokenizer(generator)
    ids = tokenizer("字", add_special_tokens=False)["input_ids"]
    return LLASA if tokenizer.decode(ids, skip_special_tokens=True).strip() else NANO


def check_readable(generator: str, request: Request) -> None:
    """Raises UserError for a text with a word of which the model can read no letter.

    Models that are no preset's may have been trained on other scripts, unless their tokenizer drops them.
    """
    alphabet = alphabet_of(generator)
    if alphabet is LLASA and generator not in {
        resolve_source(preset.generator) for preset in PRESETS.values()
    }:
        return
    words = ("".join(filter(str.isalpha, word)) for word in request.spoken.spoken.split())
    lost = [word for word in words if word and not any(map(alphabet.reads, word))]
    if lost:
        named = ", ".join(str(one) for one in unreadable("".join(lost), alphabet))
        raise UserError(
            f"the model cannot read {named}: write it in other letters, or use a model that was trained on it"
        )


def unread_letters(generator: str, texts: Iterable[str]) -> str:
    """One line on letters of the spoken texts that the model leaves out, "" if it reads them all."""
    alphabet = alphabet_of(generator)
    letters = dict.fromkeys(letter for text in texts for letter in text if not alphabet.reads(letter))
    found = unreadable("".join(letters), alphabet)
    return f"the model leaves out what it cannot read: {', '.join(map(str, found))}" if found else ""
