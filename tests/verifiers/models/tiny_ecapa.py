"""A tiny random speaker model in the files of speechbrain/spkrec-ecapa-voxceleb."""

from pathlib import Path
from typing import Any

SETTINGS = """\
# Feature parameters
n_mels: 80

# Pretrain folder (HuggingFace)
pretrained_path: speechbrain/spkrec-ecapa-voxceleb

# Output parameters
out_n_neurons: 5

# Model params
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: !ref <n_mels>

mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False

embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: !ref <n_mels>
    channels: [16, 16, 16, 16, 48]
    kernel_sizes: [5, 3, 3, 3, 1]
    dilations: [1, 2, 3, 4, 1]
    attention_channels: 8
    lin_neurons: 12

classifier: !new:speechbrain.lobes.models.ECAPA_TDNN.Classifier
    input_size: 12
    out_neurons: !ref <out_n_neurons>

mean_var_norm_emb: !new:speechbrain.processing.features.InputNormalization
    norm_type: global
    std_norm: False

modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
    mean_var_norm_emb: !ref <mean_var_norm_emb>
    classifier: !ref <classifier>

label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder

pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        embedding_model: !ref <embedding_model>
        mean_var_norm_emb: !ref <mean_var_norm_emb>
        classifier: !ref <classifier>
        label_encoder: !ref <label_encoder>
    paths:
        embedding_model: !ref <pretrained_path>/embedding_model.ckpt
        mean_var_norm_emb: !ref <pretrained_path>/mean_var_norm_emb.ckpt
        classifier: !ref <pretrained_path>/classifier.ckpt
        label_encoder: !ref <pretrained_path>/label_encoder.txt
"""


def write_ecapa(folder: Path, seed: int = 0) -> Path:
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Any] = {}
    for name, shape in shapes().items():
        if not shape:
            state[name] = torch.tensor(1000)
            continue
        normal = torch.randn(shape, generator=generator)
        if name.endswith("running_var"):
            normal = 0.5 + normal.abs()
        elif len(shape) > 1:
            normal *= 1.5 / (normal[0].numel() ** 0.5)
        state[name] = normal
    torch.save(state, folder / "embedding_model.ckpt")
    torch.save({"weight": torch.randn(5, 12, generator=generator)}, folder / "classifier.ckpt")
    statistics = {"count": 9, "glob_mean": torch.zeros(12), "glob_std": torch.ones(12)}
    speakers: dict[str, Any] = {"spk_dict_mean": {}, "spk_dict_std": {}, "spk_dict_count": {}}
    torch.save({**statistics, **speakers}, folder / "mean_var_norm_emb.ckpt")
    labels = "".join(f"'id1000{number}' => {number}\n" for number in range(5))
    (folder / "label_encoder.txt").write_text(f"{labels}================\n'starting_index' => 0\n")
    (folder / "hyperparams.yaml").write_text(SETTINGS)
    return folder


def shapes() -> dict[str, tuple[int, ...]]:
    """Of embedding_model.ckpt: names as in the released file, sizes of SETTINGS."""
    found: dict[str, tuple[int, ...]] = {}

    def add(name: str, outputs: int, *inputs: int) -> None:
        found[f"{name}.weight"] = (outputs, *inputs)
        found[f"{name}.bias"] = (outputs,)

    def add_norm(name: str, size: int) -> None:
        add(f"{name}.norm", size)
        found[f"{name}.norm.running_mean"] = found[f"{name}.norm.running_var"] = (size,)
        found[f"{name}.norm.num_batches_tracked"] = ()

    def add_tdnn(name: str, outputs: int, inputs: int, kernel: int) -> None:
        add(f"{name}.conv.conv", outputs, inputs, kernel)
        add_norm(f"{name}.norm", outputs)

    add_tdnn("blocks.0", 16, 80, 5)
    for block in ("blocks.1", "blocks.2", "blocks.3"):
        add_tdnn(f"{block}.tdnn1", 16, 16, 1)
        for number in range(7):
            add_tdnn(f"{block}.res2net_block.blocks.{number}", 2, 2, 3)
        add_tdnn(f"{block}.tdnn2", 16, 16, 1)
        add(f"{block}.se_block.conv1.conv", 128, 16, 1)
        add(f"{block}.se_block.conv2.conv", 16, 128, 1)
    add_tdnn("mfa", 48, 48, 1)
    add_tdnn("asp.tdnn", 8, 3 * 48, 1)
    add("asp.conv.conv", 48, 8, 1)
    add_norm("asp_bn", 96)
    add("fc.conv", 12, 96, 1)
    return found
