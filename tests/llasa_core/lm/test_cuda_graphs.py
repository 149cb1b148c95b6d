"""How steps are recorded on a GPU: devices, memory pools, and what happens where memory runs out."""

import contextlib
from collections.abc import Callable

import pytest
import torch

from llasa_core.gpu_memory import GpuMemory
from llasa_core.lm.cuda_graphs import MAX_GRAPHS, CudaGraphs, StepState, cuda_graphs
from tests.llasa_core.lm.fake_cuda import FakeCuda

CPU = torch.device("cpu")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    return FakeCuda(monkeypatch)


def state(rows: int = 2) -> StepState:
    return StepState(
        tokens=torch.zeros(rows, dtype=torch.long),
        positions=torch.zeros(2, rows, dtype=torch.long),
        noise=torch.zeros(3, rows, dtype=torch.long),
        chosen=torch.zeros(3, rows, dtype=torch.long),
        turn=torch.zeros(1, dtype=torch.long),
        at_start=None,
        seen=None,
    )


def graphs_of(device: str) -> CudaGraphs:
    return CudaGraphs(lambda: cuda_graphs(torch.device(device)))


def count(found: StepState) -> None:
    found.turn.add_(1)


def run(graphs: CudaGraphs, key: object, turns: int = 3, work: Callable[[StepState], None] = count) -> None:
    graphs.run(key, state(), CPU, work, turns, kept=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("device", "index"), [("cuda", 0), ("cuda:1", 1), ("cuda:3", 3)])
def test_steps_are_recorded_on_the_device_of_the_model(cuda: FakeCuda, device: str, index: int) -> None:
    """Whatever the current one is: on another device nothing is recorded, and replays do nothing."""
    run(graphs_of(device), "a")
    assert cuda.devices == [index] and cuda.current == 0


def test_a_pool_whose_graphs_are_gone_is_not_used_again(cuda: FakeCuda) -> None:
    graphs = graphs_of("cuda")
    for key in "ab":
        run(graphs, key)
    assert list(cuda.pools.values()) == [2]  # graphs that never run at once share memory
    graphs.clear()
    run(graphs, "a")
    assert cuda.dead == {0} and list(cuda.pools.values()) == [0, 1]


def test_too_many_graphs_are_dropped_together(cuda: FakeCuda) -> None:
    """Dropping one alone would free workspaces that the others on its stream use."""
    graphs = graphs_of("cuda")
    for key in range(MAX_GRAPHS):
        run(graphs, key)
    assert list(cuda.pools.values()) == [MAX_GRAPHS]
    run(graphs, MAX_GRAPHS)
    assert list(cuda.pools.values()) == [0, 1]


@pytest.mark.parametrize(
    ("kind", "says", "context"),
    [
        (torch.OutOfMemoryError, "no room", None),
        # the end of the recording fails by an error of its own; the graph itself needs memory too
        (torch.AcceleratorError, "CUDA error: operation failed due to a previous error", "no room"),
        (torch.AcceleratorError, "CUDA error: out of memory", None),
    ],
)
def test_where_memory_runs_out_a_step_runs_without_a_graph(
    cuda: FakeCuda, caplog: pytest.LogCaptureFixture, kind: type[Exception], says: str, context: str | None
) -> None:
    graphs = graphs_of("cuda")
    run(graphs, "before")
    cuda.fail = kind(says)
    if context is not None:
        cuda.fail.__context__ = torch.OutOfMemoryError(context)
    turns: list[int] = []
    run(graphs, "a", 3, lambda found: turns.append(1))
    assert len(turns) == 1 + 1 + 2  # once before, once while it is recorded, and the rest without a graph
    assert "without one, slower" in caplog.text and len(caplog.records) == 1
    cuda.fail = None
    run(graphs, "b")
    assert not cuda.pools[0] and cuda.pools[1] == 1
    run(graphs, "a", 3, lambda found: turns.append(1))
    assert len(turns) == 7


def test_any_other_error_of_a_recording_is_raised(cuda: FakeCuda) -> None:
    cuda.fail = RuntimeError("CUDA error: operation not permitted when stream is capturing")
    with pytest.raises(RuntimeError, match="not permitted"):
        run(graphs_of("cuda"), "a")


@pytest.mark.parametrize("fail", [None, RuntimeError("CUDA error: unjoined work")])
def test_the_thread_is_on_its_stream_and_its_device_again(cuda: FakeCuda, fail: Exception | None) -> None:
    before = cuda.stream
    cuda.fail = fail
    with contextlib.suppress(RuntimeError):
        run(graphs_of("cuda:1"), "a")
    assert cuda.devices == [1]
    assert cuda.stream is before and cuda.current == 0


def test_the_stream_of_recordings_is_no_stream_of_the_usual_priority(cuda: FakeCuda) -> None:
    """Of which torch has 32, so that one could be that of the thread that listens."""
    run(graphs_of("cuda"), "a")
    (stream,) = cuda.streams
    assert stream.priority == -1


@pytest.mark.parametrize(
    ("memory", "share", "room"),
    [
        # of an 80 GB GPU, 16 GB of models: the rest, of which another program may have taken some
        (GpuMemory(64, 80, 16, 16), 1.0, 64),
        (GpuMemory(30, 80, 16, 16), 1.0, 30),
        # what torch keeps for later is free for keys and values too
        (GpuMemory(50, 80, 30, 20), 1.0, 60),
        # a quarter of the GPU, its models included
        (GpuMemory(60, 80, 16, 14), 0.25, 6),
        (GpuMemory(60, 80, 25, 24), 0.25, 0),
    ],
)
def test_models_count_in_what_is_left_of_a_gpu(memory: GpuMemory, share: float, room: int) -> None:
    assert memory.room(share) == room
