"""What a CUDA graph does, on a CPU: the operations of some work, recorded once and repeated on the same
tensors.

Nothing of Python is repeated: a length, a mask or an address that the work computed in Python stays as it
was. A value that is read back to Python while recording is an error, as it is for a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

_recorders: list[Recorder] = []
"""Those that are recording."""
READS_BACK = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)


class Recorder(TorchDispatchMode):
    """Notes operations while they are carried out, and can put back what they changed."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self.before: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func not in READS_BACK, f"{func} waits for the device"
        if func._schema.is_mutable:
            self.before.append((args[0], args[0].clone()))
        out = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, out))
        return out

    def put_back(self) -> None:
        for tensor, value in reversed(self.before):
            tensor.copy_(value)

    def repeat(self) -> None:
        for func, args, kwargs, out in self.operations:
            if func._schema.is_mutable:
                func(*args, **kwargs)
                continue
            places = {_place(value) for value in tree_leaves(args) if isinstance(value, torch.Tensor)}
            for old, new in zip(tree_leaves(out), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(old, torch.Tensor) and _place(old) not in places:  # a view lies where it lay
                    old.copy_(new)


def _place(tensor: torch.Tensor) -> int:
    return 0 if tensor.is_mkldnn else tensor.untyped_storage().data_ptr()


def record(work: Callable[[], None]) -> Callable[[], None]:
    """As `llasa_core.lm.cuda_graphs.Record`: the work is not carried out, as far as anyone can see
    afterwards.
    """
    recorder = Recorder()
    _recorders.append(recorder)
    try:
        with recorder:
            work()
    finally:
        _recorders.pop()
    recorder.put_back()
    return recorder.repeat


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any, **constants: Any) -> None:
    """As `llasa_core.lm.cuda.attention.launch`: a kernel of Triton is an operation like any other."""
    with _disable_current_modes():
        kernel[grid](*arguments, **constants)
    for recorder in _recorders:
        operation = KernelLaunch(kernel, grid)
        recorder.operations.append((operation, arguments, constants, None))


@dataclass(frozen=True)
class KernelLaunch:
    """An operation that writes into its arguments."""

    kernel: Any
    grid: tuple[int, ...]
    _schema: ClassVar[Any] = SimpleNamespace(is_mutable=True)

    def __call__(self, *arguments: Any, **constants: Any) -> None:
        self.kernel[self.grid](*arguments, **constants)
