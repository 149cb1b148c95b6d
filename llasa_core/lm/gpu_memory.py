"""How much memory of a GPU is left for keys and values."""

from __future__ import annotations

from dataclasses import dataclass

import torch


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
