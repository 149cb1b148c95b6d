"""A tiny emotion2vec with random weights, in the released format: settings, weights, labels, and what names
them."""

import json
from pathlib import Path
from typing import Any

LABELS = [
    *("生气/angry", "厌恶/disgusted", "恐惧/fearful", "开心/happy"),
    *("中立/neutral", "其他/other", "难过/sad", "吃惊/surprised"),
]
TOKENS = [*LABELS, "<unk>"]
DECODER = {
    "decoder_dim": 16,
    "decoder_groups": 4,
    "decoder_kernel": 3,
    "decoder_layers": 1,
    "input_dropout": 0.0,
    "decoder_residual": True,
    "projection_layers": 1,
}


def settings(labels: bool = True, decoder: bool = False, normalize: bool = True) -> dict[str, Any]:
    """config.yaml: the released one with small numbers."""
    audio = {
        "type": "AUDIO",
        "prenet_depth": 1,
        "prenet_layerdrop": 0.0,
        "prenet_dropout": 0.0,
        "start_drop_path_rate": 0.0,
        "end_drop_path_rate": 0.0,
        "num_extra_tokens": 3,
        "init_extra_token_zero": True,
        "mask_prob": 0.5,
        "mask_prob_min": None,
        "use_alibi_encoder": True,
        "alibi_scale": 1.0,
        "learned_alibi": False,
        "alibi_max_pos": None,
        "learned_alibi_scale": True,
        "learned_alibi_scale_per_head": True,
        "learned_alibi_scale_per_layer": False,
        "num_alibi_heads": 2,
        "model_depth": 2,
        "decoder": DECODER if decoder else None,
        "local_grad_mult": 1.0,
        "extractor_mode": "layer_norm",
        "feature_encoder_spec": "[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16, 2, 2)] + [(16, 2, 2)]",
        "conv_pos_width": 95,
        "conv_pos_groups": 4,
        "conv_pos_depth": 5,
        "conv_pos_pre_ln": False,
    }
    network = {
        "loss_beta": 0.0,
        "loss_scale": None,
        "depth": 2,
        "start_drop_path_rate": 0.0,
        "end_drop_path_rate": 0.0,
        "num_heads": 2,
        "norm_eps": 1e-5,
        "norm_affine": True,
        "encoder_dropout": 0.1,
        "post_mlp_drop": 0.1,
        "attention_dropout": 0.1,
        "activation_dropout": 0.0,
        "dropout_input": 0.0,
        "layerdrop": 0.05,
        "embed_dim": 32,
        "mlp_ratio": 2.0,
        "layer_norm_first": False,
        "average_top_k_layers": 2,
        "end_of_block_targets": False,
        "clone_batch": 8,
        "normalize": normalize,
        "modalities": {"audio": audio},
    }
    config: dict[str, Any] = {"model": "Emotion2vec", "model_conf": network}
    if labels:
        config["tokenizer"] = "CharTokenizer"
        config["tokenizer_conf"] = {"unk_symbol": "<unk>", "split_with_space": True}
    return config


def write_emotion2vec(
    folder: Path,
    *,
    tokens: list[str] | None = None,
    decoder: bool = False,
    weights: str = "model.pt",
    prefix: str = "",
    scope_map: list[str] | None = None,
    listed: bool = True,
    **config: Any,
) -> Path:
    """A folder as the hub has it.

    tokens: the labels (none: []). decoder: the settings have one whose weights are missing, as in the
    released checkpoints. prefix: of the names in the file. listed: whether there is a configuration.json.
    """
    import torch
    import yaml

    from verifiers.shared.isolation import isolated

    tokens = TOKENS if tokens is None else tokens
    conf = settings(bool(tokens), decoder, **config)
    if scope_map:
        conf["scope_map"] = scope_map
    with isolated():
        from funasr.register import tables

        torch.manual_seed(0)
        model = tables.model_classes["Emotion2vec"](
            model_conf=conf["model_conf"], vocab_size=len(tokens) or -1
        )
        torch.manual_seed(0)
        for name, parameter in model.named_parameters():
            if ".decoder." not in name and (parameter.ndim in (2, 3) or name.endswith("bias")):
                # large enough for different audio to have different features
                torch.nn.init.normal_(parameter, std=0.5 if parameter.ndim > 1 else 0.1)
    folder.mkdir(parents=True, exist_ok=True)
    state = {prefix + n: t for n, t in model.state_dict().items() if ".decoder." not in n}
    torch.save({"model": state}, folder / weights)
    (folder / "config.yaml").write_text(yaml.safe_dump(conf), encoding="utf-8")
    metas: dict[str, Any] = {"init_param": weights, "config": "config.yaml"}
    if tokens:
        (folder / "tokens.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
        metas["tokenizer_conf"] = {"token_list": "tokens.txt"}
    if listed:
        text = {"framework": "pytorch", "task": "emotion-recognition", "file_path_metas": metas}
        (folder / "configuration.json").write_text(json.dumps(text))
    return folder


def edit_state(folder: Path, edit: Any, weights: str = "model.pt") -> Path:
    """Rewrites the weights: `edit` changes the dict of tensors."""
    import torch

    state = torch.load(folder / weights, weights_only=True)["model"]
    edit(state)
    torch.save({"model": state}, folder / weights)
    return folder
