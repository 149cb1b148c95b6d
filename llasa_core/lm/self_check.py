"""What runs on a GPU alone is compared with plain operations before it is relied on: milliseconds, on random
data, when a model is loaded and by `llasa-search doctor`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from llasa_core.device import device_failed
from llasa_core.errors import UserError, first_line
from llasa_core.lm.attention import TorchAttention
from llasa_core.lm.cuda_graphs import GRAPHS
from llasa_core.lm.gpu_kernels import KERNELS
from llasa_core.lm.network import Network, silu_mul
from llasa_core.lm.noise import exponentials
from llasa_core.lm.prefix import Group, Prefix
from llasa_core.lm.runner import ModelRunner
from llasa_core.lm.sampler import race
from llasa_core.lm.sequence import SpeechSequence
from llasa_core.lm.speech_lm import SpeechLM
from llasa_core.sampling import MODEL_CARD, Sampling

TOKENS = (70, 9)
"""Of the two prefixes."""
COLUMNS = (0, 3, 64, 17, 1, 40)
"""Of the rows, in turn."""
SCENES = ((4, 2), (17, 3))
"""Rows of each of the prefixes: from 16 rows on, more of them read a prefix together, by another variant of
the kernel."""
ROOM = 128
COPIES = 4
"""Sequences whose steps are recorded."""
WORSE = 4.0
"""Times the error of plain operations that a kernel's may be: they sum in another order."""
FLOORS = {torch.float32: 1e-5, torch.bfloat16: 2**-8, torch.float16: 2**-10}
"""Errors that are of no account."""
SAME = 0.75
"""Share of the tokens that has to be the same: products may be computed in another way while they are
recorded, so that a sequence takes the other one of two tokens that are equally likely, and differs from
there on."""


ROWS, SETTINGS = 64, (MODEL_CARD, Sampling(0.9, 0.95), Sampling(1.0, 1.0))
NUMBERS = 2000
"""Random numbers of a row that are compared."""
SAME_DRAWS = 0.95
"""Share of draws that have to be the same: sums round differently, at the edge of what top-p keeps."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was compared, whether it agrees, and by how much, in words."""

    name: str
    passed: bool
    detail: str


def check_attention(network: Network) -> Check:
    """The kernels or the compiled function of `network`, on its device and in its precision, against
    float64."""
    name = "attention kernels" if network.compiled is None else "compiled attention"
    return _against_float64(name, network, _errors_of_attention)


def check_activation(network: Network) -> Check:
    """As `check_attention`: the activation of a layer."""
    return _against_float64("activation kernel", network, _errors_of_activation)


def _against_float64(
    name: str, network: Network, errors_of: Callable[[Network], tuple[float, float]]
) -> Check:
    began = time.perf_counter()
    try:
        ours, plain = errors_of(network)
    except Exception as error:  # noqa: BLE001 (a compiler may raise anything: then it is not relied on)
        return failed(name, error, network.device, KERNELS)
    seconds = time.perf_counter() - began
    passed = ours <= WORSE * plain + FLOORS[network.dtype]  # also False for what is not a number
    return Check(
        name, passed, f"off by {ours:.1g} at most, plain operations by {plain:.1g}; {1e3 * seconds:.0f} ms"
    )


def failed(name: str, error: Exception, device: torch.device, variable: str) -> Check:
    """``variable``: 0 in it does without. Raises UserError if nothing can be computed on the device any
    more."""
    if device_failed(error, str(device)):
        raise UserError(
            f"the {name} made {device} fail ({first_line(error)}): set {variable}=0 to do without, "
            "or give --device cpu"
        ) from error
    return Check(name, False, f"{type(error).__name__}: {first_line(error)}")


def _errors_of_activation(network: Network) -> tuple[float, float]:
    """As `_errors_of_attention`, for rows that are no whole blocks."""
    random = torch.Generator().manual_seed(0)
    states = (3 * torch.randn(ROWS, 2500, generator=random)).to(network.device, network.dtype)
    exact = silu_mul(states.double())
    ours, plain = (one(states).double() - exact for one in (network.gated, silu_mul))
    return float(ours.abs().max()), float(plain.abs().max())


def _errors_of_attention(network: Network) -> tuple[float, float]:
    """Largest difference from float64, of keys and values too: of the kernels, and of plain operations."""
    scenes = [_errors_in_scene(network, *rows) for rows in SCENES]
    ours, plain = torch.tensor(scenes).amax(0).tolist()  # what is not a number stays so
    return ours, plain


def _errors_in_scene(network: Network, first: int, second: int) -> tuple[float, float]:
    """With so many rows of each prefix."""
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random).to(network.device, network.dtype)

    kv_heads, dim, rows = network.kv_heads, network.head_dim, first + second
    prefixes = [Prefix((0,) * n, normal(1, 2, kv_heads, n, dim)) for n in TOKENS]
    groups = [Group(0, first, prefixes[0]), Group(first, rows, prefixes[1])]
    block = normal(1, rows, 2, kv_heads, ROOM, dim)
    states = normal(rows, network.heads + 2 * kv_heads, dim)
    columns = torch.tensor([COLUMNS[row % len(COLUMNS)] for row in range(rows)])
    known = torch.tensor([len(group.prefix) for group in groups for _ in range(group.first, group.last)])
    positions = torch.stack([known + columns, columns]).to(network.device)
    tables = network.cos, network.sin

    def attended(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        own = block.to(dtype, copy=True)
        cast = [Group(g.first, g.last, Prefix(g.prefix.tokens, g.prefix.block.to(dtype))) for g in groups]
        cos, sin = (table.to(dtype) for table in tables)
        attention = TorchAttention(cast, own, positions, (cos, sin), ROOM, False)
        return attention(0, states.to(dtype)), own

    exact = attended(torch.float64)
    plain = attended(network.dtype)
    tiles, own = network.tiles(groups, rows), block.clone()
    if network.compiled is not None:
        ours = network.compiled(groups, own, positions, tables)(0, states), own
    elif network.kernels is not None and tiles is not None:
        on_device = tiles.to(network.device)
        ours = network.kernels(on_device, own, positions, tables, network.heads // kv_heads)(0, states), own
    else:
        raise LookupError("there are none here")
    return _furthest(ours, exact), _furthest(plain, exact)


def _furthest(found: tuple[Tensor, Tensor], exact: tuple[Tensor, Tensor]) -> float:
    furthest = [(a.double() - b).abs().max() for a, b in zip(found, exact, strict=True)]
    return float(torch.stack(furthest).max())  # what is not a number stays so


def check_sampler(model: SpeechLM) -> Check:
    """The sampler of the model's device against plain operations, in random distributions and several
    settings; and its random numbers against those of a CPU, bit by bit."""
    name = "sampler"
    began = time.perf_counter()
    random = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(ROWS, model.n_codes + 1, generator=random)
    on_cpu = torch.randint(-(2**63), 2**63 - 1, (ROWS,), generator=random)
    keys, tokens = on_cpu.to(model.device), torch.arange(NUMBERS)
    try:
        numbers = [exponentials(keys, tokens.to(model.device))]
        if model.kernels is not None:
            numbers.append(model.kernels.exponentials(keys, NUMBERS))
        exact = all(torch.equal(some.cpu(), exponentials(on_cpu, tokens)) for some in numbers)
        weights = torch.softmax(logits.to(model.device), -1)
        same = [
            float((model.race(weights, keys, some) == race(weights, keys, some)).float().mean())
            for some in SETTINGS
        ]
    except Exception as error:  # noqa: BLE001 (as above)
        return failed(name, error, model.device, KERNELS)
    seconds = time.perf_counter() - began
    passed = exact and min(same) >= SAME_DRAWS
    found = f"{min(same):.0%} of the tokens and {'all' if exact else 'not all'} random numbers are the same"
    return Check(name, passed, f"{found}; {1e3 * seconds:.0f} ms")


def check_recording(runner: ModelRunner) -> Check:
    """Steps that are recorded and repeated, against the same steps launched one by one. What the cache holds
    is lost."""
    name = "recorded steps"
    began = time.perf_counter()
    try:
        vocabulary = runner.model.vocabulary
        prefix = runner.model.network.prefix(
            vocabulary.ids([k % vocabulary.n_codes for k in range(TOKENS[0])])
        )
        root = SpeechSequence("check", 0, prefix, [vocabulary.start_id], 3 * runner.steps_together)
        same = float((_tokens(runner, root, recorded=True) == _tokens(runner, root)).float().mean())
    except Exception as error:  # noqa: BLE001 (as above)
        return failed(name, error, runner.model.device, GRAPHS)
    finally:
        runner.forget()
    seconds = time.perf_counter() - began
    return Check(name, same >= SAME, f"{same:.0%} of the tokens are the same; {1e3 * seconds:.0f} ms")


def _tokens(runner: ModelRunner, root: SpeechSequence, *, recorded: bool = False) -> Tensor:
    """The likeliest tokens of the first steps of some sequences: int64 [steps, rows]. If they are recorded,
    the second half is a recording."""
    together = runner.steps_together
    rows = [runner.resume(root, (code,)) for code in range(COPIES)]
    batch = runner.prepare(rows, 2 * together, len(rows))
    work = runner.steps_of(batch.groups, runner.column_multiple, together, sampling=Sampling(temperature=0))
    device, graphs = runner.model.device, runner.cache.graphs
    if recorded and graphs is not None:
        found = graphs.run("check", batch.state, device, work, 2, kept=batch.groups)
    else:
        state = batch.state.to(device)
        work(state)
        work(state)
        found = state.chosen
    return found[: 2 * together].cpu()
