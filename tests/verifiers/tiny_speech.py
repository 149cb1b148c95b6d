"""Tiny Paraformer and MOS models with random weights, in the file formats of the released ones."""

import json
from pathlib import Path
from typing import Any

CHARACTERS = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经"
PIECES = ["the", "tr@@", "ain", "is", "late", "a", "b", "c"]
TOKENS = ["<blank>", "<s>", "</s>", *CHARACTERS, *PIECES, "<unk>"]
SEGMENTS = {
    **{c: c for c in CHARACTERS},
    **{p: p for p in ("the", "is", "late", *"abc")},
    "train": "tr@@ ain",
}
ENCODER = """
encoder: SANMEncoder
encoder_conf:
    output_size: 16
    attention_heads: 2
    linear_units: 32
    num_blocks: 2
    dropout_rate: 0.1
    positional_dropout_rate: 0.1
    attention_dropout_rate: 0.1
    input_layer: pe
    pos_enc_class: SinusoidalPositionEncoder
    normalize_before: true
    kernel_size: 11
    sanm_shfit: 0
    selfattention_layer_type: sanm
decoder: ParaformerSANMDecoder
decoder_conf:
    attention_heads: 2
    linear_units: 32
    num_blocks: 2
    dropout_rate: 0.1
    positional_dropout_rate: 0.1
    self_attention_dropout_rate: 0.1
    src_attention_dropout_rate: 0.1
    att_layer_num: 2
    kernel_size: 11
    sanm_shfit: 0
frontend: WavFrontend
frontend_conf:
    fs: 16000
    window: hamming
    n_mels: 80
    frame_length: 25
    frame_shift: 10
    lfr_m: 7
    lfr_n: 6
tokenizer: CharTokenizer
tokenizer_conf:
    unk_symbol: <unk>
    split_with_space: true
ctc_conf:
    dropout_rate: 0.0
    ctc_type: builtin
    reduce: true
    ignore_nan_grad: true
normalize: null
"""
PLAIN = """
model: Paraformer
model_conf:
    ctc_weight: 0.0
    lsm_weight: 0.1
    length_normalized_loss: true
    predictor_weight: 1.0
    predictor_bias: 1
    sampling_ratio: 0.75
predictor: CifPredictorV2
predictor_conf:
    idim: 16
    threshold: 1.0
    l_order: 1
    r_order: 1
    tail_threshold: 0.45
"""
SEACO = """
model: SeacoParaformer
model_conf:
    ctc_weight: 0.0
    lsm_weight: 0.1
    length_normalized_loss: true
    predictor_weight: 1.0
    predictor_bias: 1
    sampling_ratio: 0.75
    inner_dim: 16
    bias_encoder_type: lstm
    bias_encoder_bid: false
    seaco_lsm_weight: 0.1
    seaco_length_normal: true
    train_decoder: true
    NO_BIAS: 5
predictor: CifPredictorV3
predictor_conf:
    idim: 16
    threshold: 1.0
    l_order: 1
    r_order: 1
    tail_threshold: 0.45
    smooth_factor2: 0.25
    noise_threshold2: 0.01
    upsample_times: 3
    use_cif1_cnn: false
    upsample_type: cnn_blstm
seaco_decoder: ParaformerSANMDecoder
seaco_decoder_conf:
    attention_heads: 2
    linear_units: 32
    num_blocks: 2
    dropout_rate: 0.1
    positional_dropout_rate: 0.1
    self_attention_dropout_rate: 0.1
    src_attention_dropout_rate: 0.1
    kernel_size: 11
    sanm_shfit: 0
    use_output_layer: false
    wo_input_layer: true
"""
FOLDER = {
    "framework": "pytorch",
    "task": "auto-speech-recognition",
    "model": {"type": "funasr"},
    "pipeline": {"type": "funasr-pipeline"},
    "model_name_in_hub": {"ms": "", "hf": ""},
    "file_path_metas": {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"token_list": "tokens.json", "seg_dict_file": "seg_dict"},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    },
}


def write_paraformer(folder: Path, architecture: str = PLAIN, seed: int = 0) -> Path:
    """A folder as released: config.yaml, model.pt, tokens.json, seg_dict, am.mvn, configuration.json."""
    import torch

    from verifiers.isolation import isolated

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(architecture + ENCODER)
    (folder / "tokens.json").write_text(json.dumps(TOKENS, ensure_ascii=False))
    (folder / "seg_dict").write_text("".join(f"{k} {v}\n" for k, v in SEGMENTS.items()))
    (folder / "configuration.json").write_text(json.dumps(FOLDER))
    write_statistics(folder / "am.mvn")
    with isolated():
        import funasr  # noqa: F401 (registers the classes)
        from funasr.register import tables
        from omegaconf import OmegaConf

        config: Any = OmegaConf.to_container(OmegaConf.create(architecture + ENCODER))
        torch.manual_seed(seed)
        model = tables.model_classes[config["model"]](
            **{**config, **config["model_conf"], "vocab_size": len(TOKENS), "input_size": 560}
        )
        torch.nn.init.normal_(model.decoder.output_layer.weight, std=2.0)
        torch.nn.init.normal_(model.predictor.cif_output.weight, std=0.5)
    torch.save(dict(model.state_dict()), folder / "model.pt")
    return folder


def write_statistics(file: Path) -> None:
    """Mean and deviation of the features, in Kaldi's text format, as in am.mvn."""
    shift, scale = " ".join(["-8.3"] * 560), " ".join(["0.15"] * 560)
    file.write_text(
        "<Nnet>\n<Splice> 560 560\n[ 0 ]\n<AddShift> 560 560\n"
        f"<LearnRateCoef> 0 [ {shift} ]\n<Rescale> 560 560\n<LearnRateCoef> 0 [ {scale} ]\n</Nnet>\n"
    )


def edit_checkpoint(folder: Path, edit: Any) -> None:
    """Rewrites model.pt: `edit` changes the dict of tensors."""
    import torch

    state = torch.load(folder / "model.pt", weights_only=True)
    edit(state)
    torch.save(state, folder / "model.pt")
