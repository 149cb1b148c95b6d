"""The prompt of a Llasa model (arXiv 2502.04128, section 3.1; layout of the released model cards)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from llasa_core.errors import UserError

TEXT_START, TEXT_END = "<|TEXT_UNDERSTANDING_START|>", "<|TEXT_UNDERSTANDING_END|>"
SPEECH_START, SPEECH_END = "<|SPEECH_GENERATION_START|>", "<|SPEECH_GENERATION_END|>"
INSTRUCTION = "Convert the text to speech:"
DATE = "26 Jul 2024"
"""Llama-3.2's chat template writes the date into the prompt: fixed, so that a seed always gives the same
speech."""
CONTEXT_TOKENS = 2048
"""Text, voice prompt and speech together, as Llasa was trained."""
MIN_ROOM = 50
"""Speech tokens (1 s) that have to fit in the context behind the prompt."""

_SPEECH_TOKEN = re.compile(r"<\|s_(\d+)\|>")


@dataclass(frozen=True, slots=True)
class SpeechVocabulary:
    """The speech tokens of a tokenizer: code i has id `first_id + i`, for i in 0 .. n_codes - 1."""

    first_id: int
    n_codes: int
    start_id: int
    end_id: int

    @classmethod
    def from_tokenizer(cls, tokenizer: Any) -> "SpeechVocabulary":
        """Reads the whole vocabulary, which for a released model takes some 0.3 s, once for a tokenizer.

        Raises UserError if speech tokens are missing or not contiguous.
        """
        return _read_vocabulary(tokenizer)

    def ids(self, codes: Sequence[int]) -> list[int]:
        """Token ids of codes. Raises ValueError for a code outside 0 .. n_codes - 1."""
        if codes and not 0 <= min(codes) <= max(codes) < self.n_codes:
            raise ValueError(f"speech codes have to be in 0..{self.n_codes - 1}")
        return [self.first_id + code for code in codes]


@lru_cache(maxsize=4)
def _read_vocabulary(tokenizer: Any) -> SpeechVocabulary:
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    ids = {
        int(match[1]): token_id
        for token, token_id in vocabulary.items()
        if (match := _SPEECH_TOKEN.fullmatch(token))
    }
    markers = [TEXT_START, TEXT_END, SPEECH_START, SPEECH_END]
    if not ids or any(marker not in vocabulary for marker in markers):
        absent = [*([] if ids else ["<|s_0|>"]), *(m for m in markers if m not in vocabulary)]
        raise UserError(
            f"the generator's tokenizer has no speech tokens ({', '.join(absent)} missing): "
            "give a Llasa model such as HKUSTAudio/Llasa-1B, not a plain Llama"
        )
    first = ids.get(0, min(ids.values()))
    if any(ids.get(code) != first + code for code in range(len(ids))):
        raise UserError(
            f"the generator's {len(ids)} speech tokens are not contiguous from <|s_0|>: "
            "the tokenizer files are damaged, fetch them again"
        )
    return SpeechVocabulary(first, len(ids), vocabulary[SPEECH_START], vocabulary[SPEECH_END])


def conversation(text: str, prompt_text: str, prompt_codes: Sequence[int]) -> list[dict[str, str]]:
    """The two messages of a request; the model continues the second one."""
    spoken = f"{prompt_text} {text}" if prompt_text else text
    speech = "".join(f"<|s_{code}|>" for code in prompt_codes)
    return [
        {"role": "user", "content": f"{INSTRUCTION}{TEXT_START}{spoken}{TEXT_END}"},
        {"role": "assistant", "content": SPEECH_START + speech},
    ]


def build_prompt(
    tokenizer: Any, request_text: str, prompt_text: str = "", prompt_codes: Sequence[int] = ()
) -> list[int]:
    """Token ids of a request, up to the first speech token that the model generates.

    The codes of the voice prompt follow the speech marker, as if the model had generated them. Raises
    UserError for a tokenizer without speech tokens, or without a chat template that ends with them.
    """
    vocabulary = SpeechVocabulary.from_tokenizer(tokenizer)
    speech = vocabulary.ids(prompt_codes)
    if not getattr(tokenizer, "chat_template", None):
        raise UserError("the generator's tokenizer has no chat template: fetch all tokenizer files again")
    ids: list[int] = tokenizer.apply_chat_template(
        conversation(request_text, prompt_text, prompt_codes),
        tokenize=True,
        continue_final_message=True,
        return_dict=False,
        date_string=DATE,
    )
    tail = [vocabulary.start_id, *speech]
    if ids[-len(tail) :] != tail:
        raise UserError(
            "the chat template of the generator does not end with the voice prompt: "
            "fetch the tokenizer files again"
        )
    return ids


def check_room(prompt_tokens: int, context: int = CONTEXT_TOKENS) -> int:
    """Tokens that fit in `context` behind the prompt. Raises UserError if fewer than MIN_ROOM do."""
    room = context - prompt_tokens
    if room < MIN_ROOM:
        raise UserError(
            f"text and voice prompt take {prompt_tokens} tokens, the model's context is {context} and "
            f"{MIN_ROOM} have to be left for speech: shorten the text or the prompt audio, or split the text"
        )
    return room
