"""The tokenizer of the released Llasa models, built from the vocabulary in Meta's package llama-models."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

MARKERS = [
    f"<|{name}_{end}|>"
    for name in ("TEXT_GENERATION", "TEXT_UNDERSTANDING", "SPEECH_GENERATION", "SPEECH_UNDERSTANDING")
    for end in ("START", "END")
]
RESERVED = 256
SPECIAL = [
    *("<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>"),
    *("<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>"),
    *("<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"),
]
TEMPLATE = """\
{{- bos_token }}
{%- if not date_string is defined %}{% set date_string = strftime_now("%d %b %Y") %}{% endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
{{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"""
"""What of the template of Llama-3.2-Instruct a request without tools and system message goes through."""


def vocabulary_file() -> Path | None:
    """The file of Llama-3's merges, if the package is installed."""
    found = find_spec("llama_models")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "llama3" / "tokenizer.model"


def build_tokenizer(file: Path) -> Any:
    """193,800 tokens: Llama-3's, its 256 special ones, 8 markers and 65,536 speech codes."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import TikTokenConverter

    fillers = [f"<|reserved_special_token_{3 + k}|>" for k in range(RESERVED - len(SPECIAL))]
    converted = TikTokenConverter(str(file), extra_special_tokens=[*SPECIAL, *fillers]).converted()
    begin = SPECIAL[0]
    converted.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{begin} $A", special_tokens=[(begin, converted.token_to_id(begin))]
            ),
        ]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=converted,
        bos_token=begin,
        eos_token="<|eot_id|>",
        pad_token="<|eot_id|>",
        model_max_length=2048,
    )
    tokenizer.add_tokens([*MARKERS, *(f"<|s_{code}|>" for code in range(65_536))])
    tokenizer.chat_template = TEMPLATE
    return tokenizer
