"""Files that somebody else wrote are data: what would run code in them is refused by name, and nothing is
run."""

import json
import os
import pickle
import shutil
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.verifiers.models import tiny_ecapa, tiny_emotion2vec, tiny_speech
from tests.verifiers.tiny_verifiers import speechlike, write_hubert, write_wavlm
from verifiers import Target, VerifierError, check, load
from verifiers.shared.settings import Refused, layers

RAN = "RAN"
TARGET = Target(text="a word", reference=speechlike(1.0), emotion_reference=speechlike(1.0))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {
        "ecapa": tiny_ecapa.write_ecapa(root / "ecapa"),
        "emotion2vec": tiny_emotion2vec.write_emotion2vec(root / "emotion2vec"),
        "paraformer": tiny_speech.write_paraformer(root / "paraformer"),
        "hubert-ctc": write_hubert(root / "hubert"),
        "wavlm-sv": write_wavlm(root / "wavlm"),
    }


@pytest.fixture
def copies(folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Copies of the folders, in a current folder where code would leave the file RAN."""
    monkeypatch.chdir(tmp_path)
    return {kind: Path(shutil.copytree(folder, tmp_path / kind)) for kind, folder in folders.items()}


def refused(spec: str, says: str, ask: Callable[[str], Any] = load) -> None:
    with pytest.raises(VerifierError, match=says) as caught:
        ask(spec)
    assert "\n" not in str(caught.value)
    assert not Path(RAN).exists()


ECAPA = {
    "apply": (f"\nevil: !apply:os.system [touch {RAN}]\n", "the tag !apply:os.system"),
    "apply open": (f"\nevil: !apply:builtins.open [{RAN}, w]\n", "the tag !apply:builtins.open"),
    "new": (f"\nevil: !new:subprocess.Popen\n    args: [touch, {RAN}]\n", "!new:subprocess.Popen"),
    "new of speechbrain": (
        "\nevil: !new:speechbrain.utils.fetching.fetch\n    filename: x\n",
        "!new:speechbrain.utils",
    ),
    "name": ("\nevil: !name:os.system\n", "the tag !name:os.system"),
    "module": ("\nevil: !module:antigravity\n", "the tag !module:antigravity"),
    "include": ("\nevil: !include:other.yaml\n", "the tag !include:other.yaml"),
    "copy": ("\nevil: !copy <n_mels>\n", "the tag !copy"),
    "python": (
        f"\nevil: !!python/object/apply:os.system [touch {RAN}]\n",
        "the tag tag:yaml.org,2002:python",
    ),
    "python name": ("\nevil: !!python/name:os.system\n", "the tag tag:yaml.org,2002:python"),
    "sum": ("\nevil: !ref <n_mels> + 1\n", "the expression !ref <n_mels> . 1"),
    "call": ("\nevil: !ref <n_mels>.__class__()\n", "the expression !ref"),
    "nested": ("\nevil: [{a: [!apply:os.system [touch RAN]]}]\n", "the tag !apply:os.system"),
    "deep": ("\nevil: " + "[" * 5000 + "\n", "cannot load"),
    "long": ("\nevil: " + "a" * 70_000 + "\n", "too long"),
}


@pytest.mark.parametrize("case", ECAPA)
def test_hyperparams_of_ecapa_are_data(case: str, copies: dict[str, Path]) -> None:
    text, says = ECAPA[case]
    file = copies["ecapa"] / "hyperparams.yaml"
    file.write_text(file.read_text() + text)
    refused(f"ecapa:{copies['ecapa']}", says, check)
    refused(f"ecapa:{copies['ecapa']}", says)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("input_size: !ref <n_mels>", "input_size: !ref <n_mels>/2"),
        ("input_size: !ref <n_mels>", "input_size: !ref <nothing>"),
        ("input_size: !ref <n_mels>", "input_size: !ref <embedding_model>"),
        ("input_size: !ref <n_mels>", "input_size: __import__('os')"),
        ("    norm_type: sentence", "    norm_type: [sentence]"),
        ("channels: [16, 16, 16, 16, 48]", "channels: [16, 16, 16, 16, {a: 48}]"),
        ("channels: [16, 16, 16, 16, 48]", "channels: [16]"),
        ("attention_channels: 8", "attention_channels: 1000000000"),
        ("attention_channels: 8", "no_such_argument: 8"),
    ],
)
def test_arguments_of_ecapa_are_plain_and_fit(old: str, new: str, copies: dict[str, Path]) -> None:
    file = copies["ecapa"] / "hyperparams.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    refused(f"ecapa:{copies['ecapa']}", "hyperparams.yaml|do not fit")


EXPRESSIONS = (
    f"[(16, 10, 5)] + [(16, 3, 2)] * len([open('{RAN}', 'w')])",
    f"__import__('os').system('touch {RAN}') or [(16, 10, 5)]",
    f"(lambda: open('{RAN}', 'w'))()",
    f"[(16, 10, 5) for _ in [open('{RAN}', 'w')]]",
    "[(16, 10, 5)] * 10 ** 10",
    "[(16, 10, 5)] * 1000000000",
    "[(16, 10, 5)] - [(16, 10, 5)]",
    "[(16, 10)]",
    "[(16, 10, 5.0)]",
    "[(16, 10, True)]",
    "[]",
    "5",
    "",
    "[(16, 10, 5)",
    "[" * 3000,
    "f'{1}'",
    "x",
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_layers_of_emotion2vec_are_a_list(expression: str, copies: dict[str, Path]) -> None:
    file = copies["emotion2vec"] / "config.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["model_conf"]["modalities"]["audio"]["feature_encoder_spec"] = expression
    file.write_text(yaml.safe_dump(settings))
    refused(f"emotion2vec:{copies['emotion2vec']}", "the list of layers", check)
    refused(f"emotion2vec:{copies['emotion2vec']}", "the list of layers")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]", 7),
        ("[(512, 10, 5), (512, 3, 2)]", 2),
        (" [(1, 2, 3)] * 64 ", 64),
    ],
)
def test_lists_of_layers_as_released_are_read(text: str, found: int) -> None:
    assert layers(text) == eval(text)
    assert len(layers(text)) == found
    with pytest.raises(Refused):
        layers(f"{text} * 65")


BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in pairwise("abcdefghijklmnopq"))
SETTINGS: dict[str, tuple[dict[str, Any] | str, str]] = {
    "tag": (f"evil: !!python/object/apply:os.system ['touch {RAN}']\n", "cannot read .*could not determine"),
    "unknown tag": ("evil: !apply:os.system [x]\n", "cannot read .*could not determine"),
    "interpolation": ({"seed": "${oc.env:HOME}"}, "seed is an expression"),
    "expression": ({"model_conf": {"depth": "__import__('os')"}}, "depth is an expression"),
    "bomb": (BOMB, "more than 2000 settings"),
    "loop": ("a: &a [*a]\n", "more than 2000 settings|cannot read"),
    "deep": ("a: " + "[" * 5000, "cannot read"),
    "long": ("a: " + "x" * (1 << 21), "too long"),
    "another encoder": ({"encoder": "LLMASRNARAdaptor"}, "the encoder 'LLMASRNARAdaptor'"),
    "another tokenizer": ({"tokenizer": "HuggingfaceTokenizer"}, "the tokenizer 'HuggingfaceTokenizer'"),
    "another frontend": ({"frontend": "WhisperFrontend"}, "the frontend 'WhisperFrontend'"),
    "a normaliser": ({"normalize": "GlobalMVN"}, "the normalize 'GlobalMVN'"),
    "another model": ({"model": "LLMASR"}, "of a model 'LLMASR'"),
    "no mapping": ({"model_conf": [1]}, "model_conf in .* is no mapping"),
    "not yaml": ("a: b: c", "cannot read"),
    "a list": ("[1, 2]", "is no mapping"),
}


@pytest.mark.parametrize("kind", ["emotion2vec", "paraformer"])
@pytest.mark.parametrize("case", SETTINGS)
def test_settings_of_funasr_are_plain(case: str, kind: str, copies: dict[str, Path]) -> None:
    change, says = SETTINGS[case]
    file = copies[kind] / "config.yaml"
    if isinstance(change, str):
        file.write_text((file.read_text() if change[0] != "[" and "b: c" not in change else "") + change)
    else:
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **change}))
    refused(f"{kind}:{copies[kind]}", says, check)
    refused(f"{kind}:{copies[kind]}", says)


@pytest.mark.parametrize("kind", ["emotion2vec", "paraformer"])
def test_code_beside_the_weights_is_never_run(kind: str, copies: dict[str, Path]) -> None:
    """funasr imports model.py and installs requirements.txt if a config says so."""
    folder = copies[kind]
    (folder / "model.py").write_text(f"open('{RAN}', 'w')\n")
    (folder / "requirements.txt").write_text("./\n")
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    code = {"trust_remote_code": True, "remote_code": "./model.py"}
    (folder / "config.yaml").write_text(yaml.safe_dump({**settings, **code}))
    options = "?language=en" if kind == "paraformer" else ""
    assert load(f"{kind}:{folder}{options}").score([speechlike(1.0)], TARGET)[0].usable
    assert not Path(RAN).exists()


@pytest.mark.parametrize("kind", ["emotion2vec", "paraformer"])
@pytest.mark.parametrize("name", ["../outside.pt", "/etc/hostname"])
def test_files_outside_the_folder_are_refused(kind: str, name: str, copies: dict[str, Path]) -> None:
    (copies[kind] / "configuration.json").write_text(json.dumps({"file_path_metas": {"init_param": name}}))
    refused(f"{kind}:{copies[kind]}", "which is not in the folder", check)


@pytest.mark.parametrize("kind", ["hubert-ctc", "wavlm-sv"])
@pytest.mark.parametrize(
    ("file", "extra"),
    [
        ("config.json", {"auto_map": {"AutoModel": "thing.Thing"}}),
        ("config.json", {"auto_map": {"AutoConfig": "owner/evil--thing.Thing"}}),
        ("config.json", {"attn_implementation": "owner/kernel"}),
        ("preprocessor_config.json", {"auto_map": {"AutoFeatureExtractor": "thing.Thing"}}),
    ],
)
def test_code_of_transformers_models_is_refused_by_name(
    kind: str, file: str, extra: dict[str, Any], copies: dict[str, Path]
) -> None:
    path = copies[kind] / file
    (copies[kind] / "thing.py").write_text(f"open('{RAN}', 'w')\n")
    path.write_text(json.dumps({**json.loads(path.read_text()), **extra}))
    with pytest.raises(ValueError, match=f"{file} of .* names code of its own") as caught:
        load(f"{kind}:{copies[kind]}")
    assert "\n" not in str(caught.value) and not Path(RAN).exists()


class Evil:
    def __reduce__(self) -> Any:
        return os.system, (f"touch {RAN}",)


def as_torch(file: Path) -> None:
    torch.save({"model": {"x": Evil()}, "dims": {}, "model_state_dict": Evil()}, file)


def as_old_torch(file: Path) -> None:
    torch.save({"state_dict": Evil()}, file, _use_new_zipfile_serialization=False)


def as_pickle(file: Path) -> None:
    file.write_bytes(pickle.dumps(Evil()))


@pytest.mark.parametrize("write", [as_torch, as_old_torch, as_pickle])
@pytest.mark.parametrize("kind", ["whisper", "wavlm-large-sv", "ecapa", "emotion2vec", "paraformer", "utmos"])
def test_pickles_are_never_run(kind: str, write: Any, copies: dict[str, Path], tmp_path: Path) -> None:
    names = {"ecapa": "embedding_model.ckpt", "emotion2vec": "model.pt", "paraformer": "model.pt"}
    file = copies[kind] / names[kind] if kind in names else tmp_path / "evil.pt"
    write(file)
    refused(f"{kind}:{file.parent if kind in names else file}", "cannot read|cannot load")


class Writes(torch.nn.Module):
    """Each form is a way to touch a file or another machine from TorchScript."""

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return samples.float().mean(dim=1)


class FromFile(Writes):
    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return samples.float().mean(dim=1) + torch.from_file("RAN", True, 10)[0]


class Saves(Writes):
    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        torch.save(samples, "RAN")
        return samples.float().mean(dim=1)


class Branches(Writes):
    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        if samples.shape[0] > 100:
            for _ in range(3):
                torch.save(samples, "RAN")
        return samples.float().mean(dim=1)


class Inner(Writes):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Saves()

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.inner(samples)  # type: ignore[no-any-return]


class Prints(Writes):
    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        print(samples)
        return samples.float().mean(dim=1)


class Warns(Writes):
    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        warnings.warn("RAN", stacklevel=2)
        return samples.float().mean(dim=1)


class Seeds(Writes):
    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(5)
        return samples.float().mean(dim=1)


class Forks(Writes):
    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return torch.jit.wait(torch.jit.fork(torch.mean, samples.float()))  # type: ignore[no-any-return]


class Another(Writes):
    @torch.jit.export
    def other(self, samples: torch.Tensor) -> torch.Tensor:
        torch.save(samples, "RAN")
        return samples


class Restores(Writes):
    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, bool]:
        return torch.zeros(1), self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]) -> None:
        self.training = state[1]


def hooked() -> Any:
    def hook(self: Any, values: tuple[torch.Tensor]) -> None:
        torch.save(values[0], "RAN")

    module = Writes()
    module.register_forward_pre_hook(hook)
    return module


TORCHSCRIPT = {
    "from_file": (FromFile, "aten::from_file"),
    "save": (Saves, "aten::save"),
    "branch": (Branches, "aten::save"),
    "inner": (Inner, "aten::save"),
    "other method": (Another, "aten::save"),
    "print": (Prints, "prim::Print"),
    "warning": (Warns, "aten::warn"),
    "seed": (Seeds, "aten::manual_seed"),
    "fork": (Forks, "prim::fork|aten::wait"),
    "restored": (Restores, "__setstate__"),
    "hook": (hooked, "__forward_pre_hooks__|aten::save"),
}


@pytest.mark.parametrize("case", TORCHSCRIPT)
def test_torchscript_only_computes(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, says = TORCHSCRIPT[case]
    monkeypatch.chdir(tmp_path)
    torch.jit.save(torch.jit.script(make()), "evil.jit")
    refused("utmos:evil.jit", f"does more than compute with tensors .*({says})")


def test_other_torchscript_of_tensors_runs(tmp_path: Path) -> None:
    class Plain(torch.nn.Module):
        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            wave = torch.nn.functional.pad(samples.float() / 32768, (0, 400 - samples.shape[1] % 400))
            parts: list[torch.Tensor] = []
            for index in range(samples.shape[0]):
                if index >= 0:
                    parts.append(
                        torch.einsum("ij,ij->i", wave[index].view(-1, 400), wave[index].view(-1, 400))
                    )
            return torch.stack(parts).mean(dim=1).sqrt()

    torch.jit.save(torch.jit.script(Plain()), tmp_path / "plain.jit")
    assert load(f"utmos:{tmp_path / 'plain.jit'}").score([speechlike(1.0)], TARGET)[0].usable
