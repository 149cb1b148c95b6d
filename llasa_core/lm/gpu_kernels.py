"""The kernels of `llasa_core.lm.cuda`, where a GPU may use them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from llasa_core.errors import first_line
from llasa_core.lm.sampler import Race

if TYPE_CHECKING:
    from llasa_core.lm.cuda.attention import TritonAttention

LOG = logging.getLogger(__name__)
KERNELS = "LLASA_SEARCH_KERNELS"
"""Variable that is 0 where no kernels are to be used."""


@dataclass(frozen=True, slots=True)
class GpuKernels:
    """Attention of a decoding step, activation of a layer, sampler, and the random numbers that it uses: of
    keys int64 [rows] and the first tokens, float32 [rows, tokens]."""

    attention: type[TritonAttention]
    silu_mul: Callable[[Tensor], Tensor]
    race: Race
    exponentials: Callable[[Tensor, int], Tensor]


def gpu_kernels() -> GpuKernels | None:
    """None where the variable says so, and, with a line in the log, where Triton cannot be imported."""
    if os.environ.get(KERNELS, "1") == "0":
        return None
    try:
        # imported only where they are needed: a CPU does without Triton
        from llasa_core.lm.cuda.attention import TritonAttention
        from llasa_core.lm.cuda.gate import silu_mul
        from llasa_core.lm.cuda.race import exponentials, race
    except Exception as error:  # noqa: BLE001 (a library that does not fit this Python may raise anything)
        LOG.warning(
            "Triton, of which the kernels are made, cannot be imported (%s): plain operations run, slower",
            first_line(error),
        )
        return None
    return GpuKernels(TritonAttention, silu_mul, race, exponentials)
