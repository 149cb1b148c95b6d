"""How actors share a cluster, and what is answered where there is none."""

import builtins
import subprocess
import sys
from typing import Any

import pytest

from llasa_core.device import device_failed, out_of_memory
from llasa_core.errors import UserError
from search.backends.ray.options import RayOptions, Resources
from search.backends.ray.pool import cause_of_death
from search.backends.ray.worker import portable
from search.engine import Searcher
from verifiers.errors import VerifierError


@pytest.mark.parametrize(
    ("options", "device", "resources", "expected"),
    [
        # cores: shared evenly, and not asked for where there are too few
        ({"actors": 2}, "cpu", {"CPU": 2}, Resources(2, 0, 1, 1.0, 0.0)),
        ({"actors": 3}, "cpu", {"CPU": 2}, Resources(3, 0, 1, 0.0, 0.0)),
        ({"actors": 1}, "cpu", {"CPU": 8}, Resources(1, 0, 8, 8.0, 0.0)),
        ({}, "cpu", {"CPU": 16}, Resources(4, 0, 4, 4.0, 0.0)),
        ({}, "cpu", {"CPU": 2}, Resources(1, 0, 2, 2.0, 0.0)),
        ({"actors": 2, "threads": 1}, "cpu", {"CPU": 16}, Resources(2, 0, 1, 1.0, 0.0)),
        ({"actors": 1, "verifier_actors": 1}, "cpu", {"CPU": 2}, Resources(1, 1, 1, 1.0, 0.0)),
        # GPUs: one actor each, or shares
        ({}, "cuda", {"CPU": 32, "GPU": 8}, Resources(8, 0, 4, 1.0, 1.0)),
        ({"gpus": 0.25}, "cuda:0", {"CPU": 8, "GPU": 1}, Resources(4, 0, 2, 1.0, 0.25)),
        ({"verifier_actors": 1}, "cuda", {"CPU": 4, "GPU": 2}, Resources(1, 1, 2, 1.0, 1.0)),
        ({"gpus": 2}, "cuda", {"CPU": 4, "GPU": 5}, Resources(2, 0, 2, 1.0, 2.0)),
        # the cores of nodes without GPUs help no actor of a GPU: none is asked for
        ({}, "cuda", {"CPU": 128, "GPU": 8}, Resources(8, 0, 4, 1.0, 1.0)),
        ({}, "cuda", {"CPU": 4, "GPU": 8}, Resources(8, 0, 1, 0.0, 1.0)),
        # on a CPU a cluster's GPUs are left alone
        ({"actors": 2}, "cpu", {"CPU": 4, "GPU": 2}, Resources(2, 0, 2, 2.0, 0.0)),
    ],
)
def test_actors_share_what_there_is(
    options: dict[str, Any], device: str, resources: dict[str, float], expected: Resources
) -> None:
    assert Resources.for_cluster(RayOptions(**options), device, resources) == expected


def test_a_cluster_without_gpus_is_told_of() -> None:
    with pytest.raises(UserError, match="has 0 GPUs and an actor needs 1"):
        Resources.for_cluster(RayOptions(), "cuda", {"CPU": 4})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"actors": -1}, "actors=-1: give at least 0"),
        ({"attempts": 0}, "attempts=0: give at least 1"),
        ({"actors": 100_000_000}, "actors=100000000: give at most 10000"),
        ({"threads": 10**30}, "give at most 10000"),
        ({"gpus": 0.0}, "gpus=0: give more than 0"),
        ({"gpus": 1.5}, "gpus=1.5: give a share of one"),
        ({"timeout": float("nan")}, "timeout=nan"),
    ],
)
def test_numbers_that_cannot_be_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        RayOptions(**options)


@pytest.mark.processes
def test_without_ray_everything_else_works_and_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    actual = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "ray":
            raise ImportError(name)
        return actual(name, *rest)

    code = (
        "import sys, search.engine, search.backends.ray.backend, experiments.cli.main; "
        "print('ray' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "False"
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'llasa-search\[ray\]'"):
        Searcher.from_preset("nano", ray=RayOptions(actors=1))


class Odd(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first}{second}")


@pytest.mark.parametrize(
    "error", [UserError("give another"), VerifierError("no"), KeyError("x"), OSError(2, "gone")]
)
def test_errors_travel_with_type_and_text(error: Exception) -> None:
    found = portable(error)
    assert (type(found), str(found)) == (type(error), str(error))


def test_an_error_that_cannot_travel_is_named() -> None:
    found = portable(Odd("a", "b"))
    assert (type(found), str(found)) == (RuntimeError, "Odd: ab")
    unpicklable = RuntimeError("held")
    unpicklable.lock = sys.stdout  # type: ignore[attr-defined]
    assert str(portable(unpicklable)) == "RuntimeError: held"
    assert str(portable(SystemExit("out"))) == "SystemExit: out"


def test_which_errors_mean_that_a_device_is_lost() -> None:
    import torch

    assert device_failed(RuntimeError("CUDA error: device-side assert triggered"), "cuda")
    assert device_failed(torch.AcceleratorError("an illegal memory access"), "cpu")
    assert not device_failed(torch.OutOfMemoryError("no room"), "cuda")
    assert device_failed(RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "cuda")
    assert device_failed(RuntimeError("Triton Error [CUDA]: misaligned address"), "cuda")
    # nothing but one call has failed
    for says in ("out of memory", "operation not permitted when stream is capturing", "invalid argument"):
        assert not device_failed(torch.AcceleratorError(f"CUDA error: {says}\nSearch for it"), "cuda")
    assert not device_failed(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling it"), "cuda")
    assert not device_failed(RuntimeError("a bug"), "cpu")
    assert not device_failed(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "cuda")
    assert not device_failed(UserError("bad input"), "cuda")


def test_which_errors_mean_that_memory_ran_out() -> None:
    import torch

    full = torch.AcceleratorError("CUDA error: out of memory\nSearch for it")
    for error in (
        full,
        torch.OutOfMemoryError("no room"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
    ):
        assert out_of_memory(error)
    on_top = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    assert not out_of_memory(on_top)
    on_top.__context__ = full
    assert out_of_memory(on_top)
    assert not out_of_memory(RuntimeError("a patience out of memory of man"))


def test_what_is_said_of_a_death_is_one_line() -> None:
    killed = (
        "The actor died unexpectedly before finishing this task.\n\tclass_name: Worker\n\tpid: 7\n"
        "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit "
        "detail: ..."
    )
    assert cause_of_death(Exception(killed)) == "its worker process has died"
    unmade = (
        "The actor died because of an error raised in its creation task:\n  File x\nImportError: no module."
    )
    assert cause_of_death(Exception(unmade)) == (
        "The actor died because of an error raised in its creation task: ... ImportError: no module"
    )
    assert cause_of_death(Exception("")) == "Exception"
