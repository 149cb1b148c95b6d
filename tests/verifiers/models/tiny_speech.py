"""Tiny Paraformer and MOS models with random weights, in the file formats of the released ones."""

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

CHARACTERS = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就"
    "分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经"
)
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

    from verifiers.shared.isolation import isolated

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


def write_dnsmos(
    file: Path, rows: int | str = "unk__0", *, name: str = "input_1", samples: int = 144_160, outputs: int = 3
) -> Path:
    """An ONNX file with the inputs and outputs of sig_bak_ovr.onnx: [rows, 144160] -> [rows, 3]."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    weights = generator.normal(0, 1.0, (samples // 160, outputs)).astype(np.float32)
    shape = np.array([-1, samples // 160, 160], np.int64)
    graph = helper.make_graph(
        [
            helper.make_node("Abs", [name], ["loud"]),
            helper.make_node("Reshape", ["loud", "shape"], ["frames"]),
            helper.make_node("ReduceMean", ["frames", "axis"], ["level"], keepdims=0),
            helper.make_node("MatMul", ["level", "weights"], ["sum"]),
            helper.make_node("Add", ["sum", "bias"], ["Identity:0"]),
        ],
        "dnsmos",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, samples])],
        [helper.make_tensor_value_info("Identity:0", TensorProto.FLOAT, [rows, outputs])],
        [
            numpy_helper.from_array(shape, "shape"),
            numpy_helper.from_array(np.array([2], np.int64), "axis"),
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.full(outputs, 3.0, np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    return file


def write_utmos(file: Path, device: str = "cuda:0", scores: int = 1) -> Path:
    """A TorchScript file with the signature of utmos.jit: int16 [rows, samples] -> [rows], traced; its code
    names the device that it was traced on."""
    import torch

    class Listener(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = torch.nn.Conv1d(1, 8, 400, 320)
            self.recurrent = torch.nn.LSTM(8, 8, batch_first=True)
            self.projection = torch.nn.Linear(8, scores)

        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            wave = samples.to(torch.float32) / 32768
            frames = self.convolution(wave[:, None] * 8).relu().transpose(1, 2)
            start = torch.zeros(1, samples.shape[0], 8, device=torch.device("cpu"))
            found = self.recurrent(frames, (start, start))[0]
            return (self.projection(found).mean(dim=1) * 8 + 3).squeeze(1)

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        torch.manual_seed(0)
        traced = torch.jit.trace(Listener().eval(), torch.zeros(2, 16_000, dtype=torch.int16))
    torch.jit.save(traced, str(file))
    replace_in_archive(file, b'torch.device("cpu")', f'torch.device("{device}")'.encode())
    return file


def replace_in_archive(file: Path, old: bytes, new: bytes) -> None:
    """In the code of a TorchScript file."""
    with zipfile.ZipFile(file) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    assert any(old in data for name, data in parts.items() if name.endswith(".py"))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            if not name.endswith(".debug_pkl"):
                archive.writestr(name, data.replace(old, new) if name.endswith(".py") else data)


def write_ge2e(path: Path) -> Path:
    """A checkpoint of Resemblyzer with random weights; it has one size only."""
    import torch

    torch.manual_seed(5)
    layers = {"lstm": torch.nn.LSTM(40, 256, 3, batch_first=True), "linear": torch.nn.Linear(256, 256)}
    state = {
        f"{name}.{part}": tensor * 4
        for name, layer in layers.items()
        for part, tensor in layer.state_dict().items()
    }
    loss = {"similarity_weight": torch.ones(1), "similarity_bias": torch.ones(1)}
    torch.save({"step": 1, "model_state": {**loss, **state}, "optimizer_state": {}}, path)
    return path
