"""No verifier leaves a trace in the caller: random states, threads, logging, stdout."""

import logging
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.verifiers.tiny_verifiers import speechlike
from verifiers.base import Target
from verifiers.registry import load
from verifiers.shared.isolation import isolated

TARGET = Target(text="the train", reference=speechlike(1.0))


@pytest.fixture
def specs(whisper_folder: Path, hubert_folder: Path, wavlm_folder: Path) -> dict[str, str]:
    return {
        "whisper": f"whisper:{whisper_folder}",
        "hubert-ctc": f"hubert-ctc:{hubert_folder}",
        "wavlm-sv": f"wavlm-sv:{wavlm_folder}",
    }


def caller_state() -> tuple[object, ...]:
    root = logging.getLogger()
    numpy = np.random.get_state(legacy=False)
    return (
        random.getstate(),
        repr(numpy),
        numpy["state"]["key"].tolist(),
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        list(root.handlers),
        root.level,
        torch.is_grad_enabled(),
    )


@pytest.mark.parametrize("kind", ["whisper", "hubert-ctc", "wavlm-sv"])
def test_loading_and_scoring_leave_the_caller_alone(
    kind: str, specs: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    before = caller_state()
    verifier = load(specs[kind])
    assert caller_state() == before
    verifier.score([speechlike(1.0, seed) for seed in range(2)], TARGET)
    assert caller_state() == before
    assert capfd.readouterr().out == ""


def test_everything_is_put_back_also_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    before = caller_state()
    threads = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="inside"), isolated():
        random.random()
        np.random.rand()
        torch.rand(1)
        torch.set_num_threads(threads + 1)
        logging.getLogger().addHandler(logging.NullHandler())
        logging.getLogger().setLevel(logging.DEBUG)
        print("chatter")
        raise RuntimeError("inside")
    assert caller_state() == before
    assert capfd.readouterr().out == ""


def test_calls_from_several_threads_give_what_one_gives(specs: dict[str, str]) -> None:
    verifiers = [load(spec) for spec in specs.values()]
    pairs = [(v, speechlike(0.6 + 0.2 * seed, seed)) for seed in range(3) for v in verifiers]
    expected = [verifier.score([wave], TARGET)[0].value for verifier, wave in pairs]
    stdout = sys.stdout
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: pair[0].score([pair[1]], TARGET)[0].value, pairs))
    assert found == pytest.approx(expected, abs=1e-6)
    assert sys.stdout is stdout
