"""The nano generator's tokenizer: characters, a few markers and one token for each speech code.

It has no lexicon: any text is lower-cased, stripped of accents and read letter by letter, so that every
English text can be asked for. The chat template has the same calls as Llama-3's (and ignores its date).
"""

from __future__ import annotations

import string

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

CHARACTERS = " '" + string.ascii_lowercase
INSTRUCTION = "Convert the text to speech:"
MARKERS = [
    "<|begin_of_text|>",
    "<|user|>",
    "<|assistant|>",
    "<|eot_id|>",
    INSTRUCTION,
    "<|TEXT_UNDERSTANDING_START|>",
    "<|TEXT_UNDERSTANDING_END|>",
    "<|SPEECH_GENERATION_START|>",
    "<|SPEECH_GENERATION_END|>",
]
"""The instruction is one token here, since at the character level its constant text would cost 27."""

_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>"
    "{{ message['content'] }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def build(codes: int) -> PreTrainedTokenizerFast:
    """A tokenizer with ``codes`` speech tokens ``<|s_0|>`` ... in one block at the end of the vocabulary."""
    tokens = ["<unk>", *CHARACTERS]
    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(tokens)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            normalizers.Replace("\u2019", "'"),
            normalizers.Replace(Regex(r"[^a-z' ]+"), " "),
            normalizers.Replace(Regex(r" +"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    special = [*MARKERS, *(f"<|s_{i}|>" for i in range(codes))]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|begin_of_text|>",
        eos_token="<|SPEECH_GENERATION_END|>",
        pad_token="<|eot_id|>",
        unk_token="<unk>",
    )
    fast.chat_template = _TEMPLATE
    return fast
