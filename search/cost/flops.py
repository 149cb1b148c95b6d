"""Floating-point operations: of the generator by its shape, of codec and verifiers as counted in every call.

So what a request cost depends on its own work alone, not on what was done before. Only products are counted
(matrices, convolutions, attention), each multiplication and addition as one, as is the custom; models that
do not run in torch count nothing, and neither does what is done once for a voice (its codes, its
embedding).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from llasa_core.lm.network import Network

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GeneratorCost:
    """Operations of a generator: for each token, and for each earlier token that it looks at."""

    token: int
    pair: int

    @classmethod
    def of(cls, network: Network) -> GeneratorCost:
        """Two for each weight; two products in attention."""
        weights = network.weight_bytes // network.embedding.element_size()
        return cls(2 * weights, 4 * network.layers * network.heads * network.head_dim)

    def flops(self, first: int, last: int) -> float:
        """Of running the tokens at positions first .. last - 1 of one row."""
        pairs = (last * (last + 1) - first * (first + 1)) // 2
        return float(self.token * (last - first) + self.pair * pairs)


class Meter:
    """Counts what codec and verifiers do.

    Looking into every operation of torch takes 10 to 30 % of a small verifier's time, counting by the calls
    of Python that hold a product a third of that. Both see the same, unless a part calls torch in ways that
    Python does not see, such as TorchScript: the first call of a part finds that out.
    """

    def __init__(self) -> None:
        self._counters: dict[str, type[_Calls | _Operations]] = {}

    def count(self, part: str, work: Callable[[], T]) -> tuple[T, float]:
        """(what the work returns, its operations); `part` is who does it, such as the spec of a verifier."""
        if part in self._counters:
            with self._counters[part]() as counter:
                found = work()
            return found, counter.total
        with _Operations() as operations, _Calls() as calls:
            found = work()
        if operations.total:
            self._counters[part] = _Calls if calls.total == operations.total else _Operations
        return found, operations.total


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts products, operation by operation.

    `torch.utils.flop_counter` cannot be used: under it modules with weight norm fail in inference mode.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func._overloadpacket.__name__
        if name in _COMPOSITE:
            with self:
                return func.decompose(*args, **(kwargs or {}))
        with torch._C.DisableTorchFunction():  # these calls are not Python's
            out = func(*args, **(kwargs or {}))
        if name in _PRODUCTS:
            self.total += _PRODUCTS[name](args, out)
        elif "scaled_dot_product" in name:
            self.total += _attention(args, out)
        return out


class _Calls(TorchFunctionMode):
    """Counts products by the calls of torch's functions; any that may hold one in a way that is not known
    here is looked into."""

    _without: ClassVar[set[Any]] = set()
    """Functions that were looked into, and had none."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in self._without:
            return func(*args, **kwargs)
        if func in _PRODUCT_CALLS and len(args) > 1:
            out = func(*args, **kwargs)
            self.total += _PRODUCT_CALLS[func](args, out)
            return out
        with _Operations() as operations:
            out = func(*args, **kwargs)
        if operations.total:
            self.total += operations.total
        else:
            self._without.add(func)
        return out


def _matrices(args: Sequence[torch.Tensor], out: torch.Tensor) -> float:
    """Each value of the result sums up as many terms as the last axis of the first factor is long."""
    return 2.0 * out.numel() * args[0].shape[-1]


def _added_matrices(args: Sequence[torch.Tensor], out: torch.Tensor) -> float:
    return _matrices(args[1:], out)


def _convolution(args: Sequence[Any], out: torch.Tensor) -> float:
    return float(2 * out.numel() * math.prod(args[1].shape[1:]))


def _any_convolution(args: Sequence[Any], out: torch.Tensor) -> float:
    """aten's one operation for all convolutions; the seventh argument says whether it is transposed."""
    return _transposed_convolution(args, out) if args[6] else _convolution(args, out)


def _transposed_convolution(args: Sequence[torch.Tensor], out: torch.Tensor) -> float:
    return 2.0 * args[0].numel() * math.prod(args[1].shape[1:])


def _attention(args: Sequence[torch.Tensor], out: torch.Tensor) -> float:
    """Two products: of queries and keys, and of their weights and the values."""
    query, key = args[0], args[1]
    return 2.0 * query.shape[:-1].numel() * key.shape[-2] * (query.shape[-1] + out.shape[-1])


Count = Callable[[Sequence[torch.Tensor], torch.Tensor], float]
"""Operations of a product by its arguments and its result."""
_PRODUCTS: Mapping[str, Count] = {
    **dict.fromkeys(("linear", "mm", "bmm", "matmul"), _matrices),
    **dict.fromkeys(("addmm", "baddbmm"), _added_matrices),
    **dict.fromkeys(("conv1d", "conv2d"), _convolution),
    "convolution": _any_convolution,
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), _transposed_convolution),
}
_COMPOSITE = ("einsum", "tensordot")
"""Made of other products, which inference mode would hide."""
_PRODUCT_CALLS: Mapping[Any, Count] = {
    **dict.fromkeys((F.linear, torch.matmul, torch.bmm), _matrices),
    **dict.fromkeys((torch.Tensor.matmul, torch.Tensor.__matmul__, torch.Tensor.bmm), _matrices),
    **dict.fromkeys((torch.conv1d, torch.conv2d), _convolution),
    F.scaled_dot_product_attention: _attention,
}
