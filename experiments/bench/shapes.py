"""The shapes of the released models: keyword arguments of `LlamaConfig`.

Those of Llama-3.2-1B, Llama-3.2-3B and Llama-3.1-8B (their config.json), with the vocabulary of Llasa. The
file of Llasa-3B holds an output matrix of its own although its configuration ties it to the embedding.
"""

from typing import Any

LLASA_VOCABULARY = 193_800
"""128,256 tokens of Llama 3, eight markers and 65,536 speech codes."""


def _shape(
    hidden: int, inner: int, layers: int, heads: int, dim: int, tied: bool, scaled: float
) -> dict[str, Any]:
    """dim: of a head. scaled: by which rope's slow angles are divided."""
    return {
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "head_dim": dim,
        "vocab_size": LLASA_VOCABULARY,
        "max_position_embeddings": 131_072,
        "tie_word_embeddings": tied,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500_000.0,
            "factor": scaled,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    }


SHAPES = {
    "llama-1b": _shape(2048, 8192, 16, 32, 64, True, 32.0),
    "llama-3b": _shape(3072, 8192, 28, 24, 128, False, 32.0),
    "llama-8b": _shape(4096, 14_336, 32, 32, 128, False, 8.0),
}
"""Of HKUSTAudio/Llasa-1B, Llasa-3B and Llasa-8B."""
LLAMA_1B = SHAPES["llama-1b"]
