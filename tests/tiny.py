"""Tiny models with random weights, in the very file formats of the released ones."""

import string
from pathlib import Path
from typing import Any

MARKERS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|TEXT_GENERATION_START|>",
    "<|TEXT_GENERATION_END|>",
    "<|TEXT_UNDERSTANDING_START|>",
    "<|TEXT_UNDERSTANDING_END|>",
    "<|SPEECH_GENERATION_START|>",
    "<|SPEECH_GENERATION_END|>",
    "<|SPEECH_UNDERSTANDING_START|>",
    "<|SPEECH_UNDERSTANDING_END|>",
)

# What matters of Llama-3.2's template: the date, trimmed contents, an end of turn after every message.
CHAT_TEMPLATE = """\
{{- bos_token }}
{%- if not date_string is defined %}{% set date_string = strftime_now("%d %b %Y") %}{% endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: " + date_string + "\\n\\n<|eot_id|>" }}
{%- for message in messages %}
{{- "<|start_header_id|>" + message["role"] + "<|end_header_id|>\\n\\n" }}
{{- message["content"] | trim + "<|eot_id|>" }}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|start_header_id|>assistant<|end_header_id|>\\n\\n" }}{% endif %}"""


def build_tokenizer(n_codes: int = 1024, *, skipped_code: int | None = None, template: bool = True) -> Any:
    """A character tokenizer with Llasa's markers and `n_codes` speech tokens (one left out on request)."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    characters = ["<unk>", *string.ascii_letters, *string.digits, *string.punctuation, " ", "\n"]
    tokenizer = Tokenizer(models.WordLevel({c: i for i, c in enumerate(characters)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    speech = [f"<|s_{code}|>" for code in range(n_codes) if code != skipped_code]
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in (*MARKERS, *speech)])
    bos = MARKERS[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=bos,
        eos_token="<|eot_id|>",
        unk_token="<unk>",
        pad_token="<|end_of_text|>",
    )
    if template:
        fast.chat_template = CHAT_TEMPLATE
    return fast


def build_llama(
    vocabulary: int,
    *,
    hidden: int = 64,
    layers: int = 2,
    tied: bool = True,
    positions: int = 2048,
    seed: int = 0,
    spread: float = 0.3,
) -> Any:
    """A random LlamaForCausalLM; `spread` is the deviation of its weights, wide enough for varied speech."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        tie_word_embeddings=tied,
        initializer_range=spread,
        bos_token_id=None,
        eos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


def build_generator(folder: Path, n_codes: int = 1024, **llama: Any) -> Path:
    """Writes a generator folder: tokenizer with chat template, config and weights. Returns the folder."""
    tokenizer = build_tokenizer(n_codes)
    build_llama(len(tokenizer), **llama).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def build_codec(
    folder: Path, levels: tuple[int, ...] = (4, 4, 4, 4, 4), hidden: int = 64, seed: int = 0
) -> Path:
    """Writes a random Xcodec2Model folder with prod(levels) codes that is not silent. Returns the folder."""
    import torch
    from transformers import Wav2Vec2BertConfig, Xcodec2Config, Xcodec2Model

    semantic = Wav2Vec2BertConfig(
        hidden_size=hidden,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * hidden,
        feature_projection_input_dim=160,
        position_embeddings_type="relative_key",
        left_max_position_embeddings=8,
        right_max_position_embeddings=4,
        conv_depthwise_kernel_size=7,
    )
    config = Xcodec2Config(
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=hidden // 2,
        encoder_hidden_size=2,
        downsampling_ratios=[8, 8, 5],
        quantization_levels=list(levels),
        quantization_dim=2 * hidden,
        semantic_model_config=semantic,
        initializer_range=0.2,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = Xcodec2Model(config).eval()
        # The stock initialisation is nearly silent and uses few codes.
        model.quantizer.project_in.weight.normal_(std=1.0)
        size = config.n_fft // 2 + 1
        model.acoustic_decoder.head.linear.bias[:size].fill_(-2.0)
        model.acoustic_decoder.head.linear.bias[size:].uniform_(-3.14, 3.14)
    model.save_pretrained(folder)
    return folder
