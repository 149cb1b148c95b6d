"""What torch.cuda would be asked for, noted on a machine without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch


class FakeCuda:
    """Stands for the parts of torch.cuda by which a step is recorded, with the rules that PyTorch asserts:
    a stream records on its own device alone, and a pool whose graphs are gone is not opened again. As in
    torch, setting a stream sets its device, and a recording that fails does not leave its stream."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.current = 0
        self.stream = self.new_stream("cuda:0")
        self.pools: dict[int, int] = {}
        """Graphs that live, by pool."""
        self.dead: set[int] = set()
        self.devices: list[int] = []
        """On which work was recorded."""
        self.streams: list[SimpleNamespace] = []
        """On which work was recorded."""
        self.fail: Exception | None = None
        self._recording: Any = None
        patch.setattr(torch.cuda, "graph_pool_handle", self._new_pool)
        patch.setattr(torch.cuda, "Stream", self.new_stream)
        patch.setattr(torch.cuda, "current_stream", lambda device: self.stream)
        patch.setattr(torch.cuda, "set_stream", self._set_stream)
        patch.setattr(torch.cuda, "CUDAGraph", lambda: FakeGraph(self))
        patch.setattr(torch.cuda, "graph", self._graph)
        patch.setattr(torch.cuda, "device", self.device)

    @staticmethod
    def new_stream(device: Any, priority: int = 0) -> SimpleNamespace:
        return SimpleNamespace(device=torch.device(device), priority=priority)

    def _set_stream(self, stream: SimpleNamespace) -> None:
        self.stream, self.current = stream, stream.device.index or 0

    def _new_pool(self) -> int:
        self.pools[number := len(self.pools)] = 0
        return number

    @contextmanager
    def device(self, device: Any) -> Iterator[None]:
        before, self.current = self.current, torch.device(device).index or 0
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def _graph(self, graph: FakeGraph, pool: int, stream: Any, capture_error_mode: str) -> Iterator[None]:
        assert pool not in self.dead, "use_count > 0: the pool was opened again after its graphs were gone"
        assert (stream.device.index or 0) == self.current, "the stream is another device's"
        graph.pool = pool
        self.pools[pool] += 1
        self.devices.append(self.current)
        self.streams.append(stream)
        before, self.stream = self.stream, stream
        yield
        if self.fail is not None:
            raise self.fail
        self.stream = before


class FakeGraph:
    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda
        self.pool: int | None = None

    def replay(self) -> None:
        """Would run what was recorded."""

    def __del__(self) -> None:
        if self.pool is not None:
            self.cuda.pools[self.pool] -= 1
            if not self.cuda.pools[self.pool]:
                self.cuda.dead.add(self.pool)
