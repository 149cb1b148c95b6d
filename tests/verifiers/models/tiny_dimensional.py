"""A tiny model of arousal, dominance and valence with random weights, in the released format."""

import json
from pathlib import Path
from typing import Any

from tests.verifiers.tiny_verifiers import CONVOLUTIONS

SETTINGS: dict[str, Any] = {
    **CONVOLUTIONS,
    "_name_or_path": "torch",
    "apply_spec_augment": True,
    "architectures": ["Wav2Vec2ForSpeechClassification"],
    "conv_bias": True,
    "feat_extract_activation": "gelu",
    "final_dropout": 0.1,
    "finetuning_task": "wav2vec2_reg",
    "id2label": {"0": "arousal", "1": "dominance", "2": "valence"},
    "label2id": {"arousal": 0, "dominance": 1, "valence": 2},
    "layerdrop": 0.1,
    "mask_time_prob": 0.05,
    "model_type": "wav2vec2",
    "output_hidden_size": 32,
    "pooling_mode": "mean",
    "problem_type": "regression",
    "torch_dtype": "float32",
    "transformers_version": "4.17.0.dev0",
    "vocab_size": None,
}
"""config.json: the released one with small numbers. It has no vocabulary."""
PREPROCESSOR = {
    "do_normalize": True,
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "feature_size": 1,
    "padding_side": "right",
    "padding_value": 0.0,
    "return_attention_mask": True,
    "sampling_rate": 16_000,
}


def write_dimensional(folder: Path, seed: int = 0, **settings: Any) -> Path:
    """A folder as the released one, of the year 2022: pytorch_model.bin, weight_g and weight_v of the
    convolution of positions. settings: of config.json."""
    import torch
    from transformers import Wav2Vec2Config

    from verifiers.models.dimensional_model import EmotionModel

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**SETTINGS, **settings}))
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = EmotionModel(Wav2Vec2Config.from_dict({**SETTINGS, **settings}))
        torch.nn.init.normal_(model.classifier.dense.weight, std=0.5)
        torch.nn.init.normal_(model.classifier.out_proj.weight, std=0.05)
        torch.nn.init.constant_(model.classifier.out_proj.bias, 0.5)  # values between 0 and 1
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    state = {}
    for name, tensor in model.state_dict().items():
        for new, old in names.items():
            name = name.replace(new, old)
        state[name] = tensor.clone()
    torch.save(state, folder / "pytorch_model.bin")
    return folder


def edit_state(folder: Path, edit: Any) -> None:
    """Rewrites pytorch_model.bin: `edit` changes the dict of tensors."""
    import torch

    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    edit(state)
    torch.save(state, folder / "pytorch_model.bin")
