"""What every training of the recipe shares: a resumable loop with a schedule, checkpoints and progress."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

Losses = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Schedule:
    """Warm-up, a flat part, then linear decay to ``floor`` times the rate; all in shares of ``steps``."""

    steps: int
    warmup: int = 100
    flat: float = 0.5
    floor: float = 0.03

    def factor(self, step: int) -> float:
        """Factor on the learning rate at ``step`` (0-based)."""
        progress = step / self.steps
        decay = 1.0 if progress < self.flat else 1 - (progress - self.flat) / (1 - self.flat)
        return min(1.0, (step + 1) / self.warmup) * max(self.floor, decay)


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by a Newton-Schulz iteration (Jordan et al., 2024), for the matrices of layers.

    Matrices of one shape are updated as one stack; the update is scaled to the size that AdamW's would have.
    """

    def __init__(self, params: Sequence[torch.nn.Parameter], lr: float, weight_decay: float = 0.05) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": 0.95})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for shape, params in shapes.items():
                grads = torch.stack([p.grad for p in params if p.grad is not None])
                for p, g in zip(params, grads, strict=True):
                    self.state[p].setdefault("buffer", torch.zeros_like(p)).lerp_(g, 1 - group["momentum"])
                stacked = grads.lerp(
                    torch.stack([self.state[p]["buffer"] for p in params]), group["momentum"]
                )
                update = _orthogonal(stacked) * (0.2 * math.sqrt(max(shape)))
                for p, u in zip(params, update, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(u, alpha=-group["lr"])


def _orthogonal(stack: torch.Tensor) -> torch.Tensor:
    """Nearest semi-orthogonal matrices of a stack [n, rows, columns], roughly, in five iterations."""
    tall = stack.shape[1] > stack.shape[2]
    x = stack.mT if tall else stack
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * (gram @ gram)) @ x
    out: torch.Tensor = (x.mT if tall else x).float()
    return out


def rng(seed: int, step: int) -> np.random.Generator:
    """The random numbers of one step: they depend on nothing else, so a resumed run draws what the first
    would.
    """
    return np.random.default_rng([seed, step])


def train(
    folder: Path,
    schedule: Schedule,
    modules: Mapping[str, torch.nn.Module],
    optimizers: Sequence[torch.optim.Optimizer],
    losses: Callable[[int], Losses],
    *,
    clip: float = 1.0,
    log_every: int = 50,
    save_every: int = 500,
    validate: Callable[[], Mapping[str, float]] | None = None,
) -> None:
    """Run ``losses(step)["loss"]`` down for ``schedule.steps`` steps, going on from ``folder/checkpoint.pt``
    if there.

    Steps whose gradient is not finite are dropped. Writes ``folder/log.jsonl`` with the seconds spent so far.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "checkpoint.pt"
    step, seconds = 0, 0.0
    if path.exists():
        state = torch.load(path, weights_only=True)
        for name, module in modules.items():
            module.load_state_dict(state["modules"][name])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        step, seconds = state["step"], state["seconds"]
    base = [[group.setdefault("base_lr", group["lr"]) for group in o.param_groups] for o in optimizers]
    parameters = [p for module in modules.values() for p in module.parameters() if p.requires_grad]
    sums: dict[str, float] = {}
    count, began = 0, time.monotonic()
    while step < schedule.steps:
        for optimizer, rates in zip(optimizers, base, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * schedule.factor(step)
            optimizer.zero_grad(set_to_none=True)
        values = losses(step)
        values["loss"].backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(parameters, clip)
        if torch.isfinite(norm):
            for optimizer in optimizers:
                optimizer.step()
        step, count = step + 1, count + 1
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if step % log_every == 0 or step == schedule.steps:
            spent = seconds + time.monotonic() - began
            row: dict[str, Any] = {"step": step, "of": schedule.steps, "seconds": round(spent)}
            row |= {name: round(total / count, 4) for name, total in sums.items()}
            if validate is not None and (step % save_every == 0 or step == schedule.steps):
                row |= {name: round(value, 4) for name, value in validate().items()}
            print(json.dumps(row), flush=True)
            with (folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
            sums, count = {}, 0
        if step % save_every == 0 or step == schedule.steps:
            state = {
                "step": step,
                "seconds": seconds + time.monotonic() - began,
                "modules": {name: module.state_dict() for name, module in modules.items()},
                "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            }
            torch.save(state, path.with_suffix(".tmp"))
            path.with_suffix(".tmp").rename(path)
