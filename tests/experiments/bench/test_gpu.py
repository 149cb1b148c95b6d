"""The measurement of a GPU, tried on a CPU with tiny models."""

import json
from pathlib import Path

import pytest
import torch

from experiments.bench import gpu
from experiments.bench.gpu_models import Sizes
from experiments.bench.shapes import LLAMA_1B
from tests.verifiers.tiny_verifiers import CONVOLUTIONS, DIMS

TINY = Sizes(
    llama=LLAMA_1B
    | {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1, "vocab_size": 1500}
    | {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16},
    codes=1024,
    codec={
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "encoder_hidden_size": 2,
        "quantization_dim": 128,
        "downsampling_ratios": [8, 8, 5],
        "quantization_levels": [4] * 5,
        "semantic_model_config": {
            "model_type": "wav2vec2-bert",
            "hidden_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 128,
            "feature_projection_input_dim": 160,
        },
    },
    whisper=DIMS,
    wavlm={"tdnn_dim": (16, 16, 16, 16, 32), "xvector_output_dim": 24, "num_labels": 5, **CONVOLUTIONS},
    seconds=2.0,
    prompt=30,
)


def measured(out: Path, seconds: float = 600.0) -> gpu.Measurement:
    found = gpu.Measurement(TINY, "cpu", [1, 4], pairs=1, seconds=seconds, out=out)
    found.run()
    return found


@pytest.mark.models
def test_everything_is_measured_and_plain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measured(tmp_path / "gpu.json").failed == []
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert [line["rows"] for line in found["decoding"]["speeds"]] == [1, 4]
    assert all(line["share_of_a_copy"] > 0 for line in found["decoding"]["speeds"])
    assert found["generate"]["rows"] == 16 and found["generate"]["times_as_fast"]["median"] > 0
    assert [line["metric"] for line in found["verifiers"]] == ["wer", "sim"]
    search = found["search"]
    assert search["strategy"].startswith("partial-prm?beams=2&n=2") and search["seconds_of_speech"] == 2.0
    assert {"generator", "codec", "verifier wer", "verifier sim"} <= set(search["seconds_by_part"])
    assert found["loading"]["recordings"] == search["recordings"] == 0 and found["loading"]["checks"] == []
    said = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert said == ["loading", "greedy", "decoding", "generate", "search", "verifiers"]


@pytest.mark.models
def test_greedy_tokens_are_those_of_generate() -> None:
    found = gpu.greedy(TINY, "cpu")
    assert found["equal_to_generate"] == found["tokens"] == gpu.TOKENS


@pytest.mark.models
def test_a_part_that_fails_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(gpu, "codec", fails)
    assert measured(tmp_path / "gpu.json").failed == ["search"]
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["search"] == {"error": "OutOfMemoryError: no memory"} and len(found["verifiers"]) == 2


def test_no_part_is_begun_when_the_time_is_over(tmp_path: Path) -> None:
    parts = ["loading", "greedy", "decoding", "generate", "search", "verifiers"]
    measured(tmp_path / "gpu.json", seconds=0)
    assert json.loads((tmp_path / "gpu.json").read_text())["no time left for"] == parts


def test_without_a_gpu_it_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(["--device", "cuda:77"]) == 2
    assert 'device "cuda:77" cannot be used' in capsys.readouterr().err
