"""How much memory of a GPU is left, and the part of it that is for this process."""

from __future__ import annotations

from dataclasses import dataclass

import torch

_share = 1.0


def use_share(share: float) -> None:
    """From now on, so much of each GPU is for this process, its models included: what a shared GPU has free
    may be another process's."""
    global _share
    _share = share


def own_share() -> float:
    """The part of each GPU that is for this process: all of it unless `use_share` said otherwise."""
    return _share


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """Bytes. free, total: of the GPU, whoever uses it. reserved: what torch has taken for this process;
    allocated: the part of it that tensors use, the rest is free for new ones."""

    free: int
    total: int
    reserved: int
    allocated: int

    def room(self, share: float) -> int:
        """What new tensors of this process may take, if `share` of the GPU is for it, models included."""
        own = int(share * self.total) - self.allocated
        return max(0, min(own, self.free + self.reserved - self.allocated))


def gpu_memory(device: torch.device) -> GpuMemory:
    """As the driver and torch see it now."""
    free, total = torch.cuda.mem_get_info(device)
    return GpuMemory(free, total, torch.cuda.memory_reserved(device), torch.cuda.memory_allocated(device))
