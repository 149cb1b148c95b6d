import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from llasa_core.codec.codec import Codec
from llasa_core.errors import UserError
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.loading import check_match, context_tokens
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


def test_unknown_device_and_offline_hub(codec_folder):
    with pytest.raises(UserError, match='device "cuda:77"'):
        Codec.from_source(str(codec_folder), device="cuda:77")
    with pytest.raises(UserError, match="device"):
        Codec.from_source(str(codec_folder), device="gpu")
    refused("nobody/nothing", "check the name and the connection")


def test_context_is_read_from_the_config(broken):
    assert context_tokens(str(broken)) == 2048
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 700}))
    assert context_tokens(str(broken)) == 700


def test_generator_and_codec_have_to_match(generator, codec):
    check_match(generator.n_codes, codec.n_codes)
    with pytest.raises(UserError, match="1024 codes and the codec knows 65536"):
        check_match(1024, 65_536)
