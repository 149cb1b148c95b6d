import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from llasa_core import hub
from llasa_core.codec.codec import Codec
from llasa_core.errors import UserError
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.loading import check_device, check_match, context_tokens
from tests.tiny import build_llama, build_tokenizer


@pytest.fixture
def broken(generator_folder, tmp_path):
    """A copy of a good generator folder, to be damaged."""
    return shutil.copytree(generator_folder, tmp_path / "broken")


def refused(folder, said, load=SpeechLM.from_source):
    with pytest.raises(UserError, match=said) as caught:
        load(str(folder))
    assert "\n" not in str(caught.value)


def test_weights_stored_in_bfloat16_are_loaded_in_float32(generator_folder, broken):
    weights = {name: tensor.bfloat16() for name, tensor in load_file(broken / "model.safetensors").items()}
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    generator = SpeechLM.from_source(str(broken))
    assert generator.network.embedding.dtype == generator.network.cos.dtype == torch.float32
    assert generator.network.logits(generator.network.embedding[:2]).dtype == torch.float32


def test_missing_unexpected_and_misshapen_weights(broken):
    file = broken / "model.safetensors"
    good = load_file(file)
    name = "model.layers.1.mlp.up_proj.weight"
    for change, said in (
        (lambda w: w.pop(name), "1 missing .model.layers.1.mlp.up_proj.weight"),
        (lambda w: w.update(extra=torch.zeros(1)), "1 unexpected .extra"),
        (lambda w: w.update({name: torch.zeros(2, 3)}), "1 of another shape .*up_proj"),
    ):
        weights = dict(good)
        change(weights)
        save_file(weights, file, metadata={"format": "pt"})
        refused(broken, said)


def test_damaged_or_absent_files(broken):
    (broken / "model.safetensors").write_bytes((broken / "model.safetensors").read_bytes()[:1000])
    refused(broken, "cannot load the model")
    (broken / "model.safetensors").unlink()
    refused(broken, "cannot load the model")
    (broken / "tokenizer.json").write_text("{")
    refused(broken, "cannot load the tokenizer")
    (broken / "config.json").unlink()
    refused(broken, "no config.json")


@pytest.mark.models
def test_model_without_speech_tokens(tmp_path):
    tokenizer = build_tokenizer(0)
    build_llama(len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    refused(tmp_path, "no speech tokens")


def test_tokenizer_of_another_model(broken):
    build_tokenizer(2048).save_pretrained(broken)
    refused(broken, "mixes two models")


def test_wrong_kind_of_model(generator_folder, codec_folder):
    refused(generator_folder, '"llama" model, not "xcodec2"', Codec.from_source)


@pytest.mark.parametrize("device", ["cuda:77", "gpu", "meta", "", "cpu:x", "cuda:-1", "fpga:0"])
def test_devices_that_are_not_there_are_refused_in_one_line(device):
    with pytest.raises(UserError, match=f'device "{device}" cannot be used') as caught:
        check_device(device)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_an_offline_hub_is_named():
    refused("nobody/nothing", "nobody/nothing is not in the local cache and the hub is switched off")


CODE = "import pathlib; pathlib.Path(__file__).with_name('ran').touch()\nclass Thing: pass\n"
OWN_CODE = {
    "model": ("config.json", {"auto_map": {"AutoConfig": "thing.Thing"}}),
    "another model": ("config.json", {"model_type": "x", "auto_map": {"AutoConfig": "thing.Thing"}}),
    "from the hub": ("config.json", {"auto_map": {"AutoModelForCausalLM": "o/evil--thing.Thing"}}),
    "nested": ("config.json", {"text_config": {"auto_map": {"AutoConfig": "thing.Thing"}}}),
    "kernel": ("config.json", {"attn_implementation": "somebody/kernel"}),
    "private kernel": ("config.json", {"_attn_implementation": "somebody/kernel:attend"}),
    "pipeline": ("config.json", {"custom_pipelines": {"x": {"impl": "thing.Thing"}}}),
    "tokenizer": ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["thing.Thing", None]}}),
}


@pytest.mark.parametrize("kind", OWN_CODE)
@pytest.mark.parametrize("escaped", [False, True])
def test_code_that_a_folder_brings_is_refused_by_name_and_never_run(broken, monkeypatch, kind, escaped):
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    file, extra = OWN_CODE[kind]
    (broken / "thing.py").write_text(CODE)
    text = json.dumps(json.loads((broken / file).read_text()) | extra)
    (broken / file).write_text(text.replace("auto_map", "\\u0061uto_map") if escaped else text)
    says = f"{file} of .* names code of its own .*never run"
    refused(broken, says)
    if file == "config.json":
        refused(broken, says, context_tokens)
        refused(broken, says, Codec.from_source)
    assert not list(broken.rglob("ran"))


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (
            "GatedRepoError",
            "owner/name is gated: accept its terms at https://huggingface.co/owner/name, then",
        ),
        ("RepositoryNotFoundError", "the hub has no owner/name, or it is private: check the name, log in"),
        ("HfHubHTTPError", r"owner/name \(.*\): check the name and the connection"),
    ],
)
def test_what_the_hub_answers_is_said_with_its_cure(kind, says):
    from huggingface_hub import errors

    kind_of_error = getattr(errors, kind)
    failure = kind_of_error.__new__(kind_of_error, "503 Server Error\nmore")  # without an answer of a server
    for error in (failure, OSError("cannot load")):
        error.__cause__ = None if error is failure else failure
        with hub.switched(True):
            assert re.match(says, hub.problem("owner/name", error))


def test_context_is_read_from_the_config(broken):
    assert context_tokens(str(broken)) == 2048
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 700}))
    assert context_tokens(str(broken)) == 700


def test_generator_and_codec_have_to_match(generator, codec):
    check_match(generator.n_codes, codec.n_codes)
    with pytest.raises(UserError, match="1024 codes and the codec knows 65536"):
        check_match(1024, 65_536)
