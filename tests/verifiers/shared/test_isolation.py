"""What a block changes of the process is put back: random states, threads, logging, stdout."""

import logging
import random

import numpy as np
import pytest
import torch

from verifiers.shared.isolation import isolated


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
        logging.root.manager.disable,
        torch.is_grad_enabled(),
    )


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
