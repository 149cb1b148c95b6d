"""What is done on a GPU when a model is loaded, so that no request waits for it, and none is let down."""

from __future__ import annotations

import logging

from llasa_core.lm.batch import STEPS_AHEAD, first_state
from llasa_core.lm.gpu_kernels import KERNELS
from llasa_core.lm.network import silu_mul
from llasa_core.lm.runner import BATCH_SIZES, ModelRunner
from llasa_core.lm.sampler import race
from llasa_core.lm.self_check import (
    Check,
    check_activation,
    check_attention,
    check_recording,
    check_sampler,
    failed,
)

LOG = logging.getLogger(__name__)
RESERVED, IF_ROOM = 64, 256
"""Rows for which cache and recorded steps are there before the first request; the second number where their
keys and values take at most a quarter of the limit. More are made when needed, and all recorded anew."""


def warm_up(runner: ModelRunner) -> list[Check]:
    """Compare kernels and recorded steps with plain ones, and leave out what does not agree, with a line in
    the log. Then reserve cache and record the steps of all numbers of rows up to `RESERVED` or `IF_ROOM`.

    Returns what was compared: nothing on a CPU. Raises UserError if the device does not survive it.
    """
    model, cache, checks = runner.model, runner.cache, list[Check]()
    network = model.network
    with runner.alone():
        if network.kernels is not None:
            checks.append(check_attention(network))
            if not checks[-1].passed:
                network.kernels = None
        if network.gated is not silu_mul:
            checks.append(check_activation(network))
            if not checks[-1].passed:
                network.gated = silu_mul
        if model.device.type == "cuda" and model.race is not race:
            checks.append(check_sampler(model))
            if not checks[-1].passed:
                model.race = race
        if cache.graphs is not None:
            checks.append(check_recording(runner))
            if not checks[-1].passed:
                cache.graphs = None
        if cache.graphs is not None and network.kernels is not None:
            checks += _record(runner)
        for check in checks:
            if not check.passed:
                LOG.warning(
                    "%s: not what plain operations give on %s (%s): decoding does without, slower",
                    *(check.name, runner.model.device, check.detail),
                )
    return checks


def _record(runner: ModelRunner) -> list[Check]:
    """Nothing, or what failed: then neither kernels nor recordings are used."""
    model, cache = runner.model, runner.cache
    runner.look_at_memory(())
    columns = model.max_tokens + STEPS_AHEAD
    sizes = sizes_to_record(cache.limit, cache.bytes_of(1, columns))
    size = sizes[-1] if sizes else 0
    try:
        cache.reserve(size, columns)
        # the largest first: the memory that it takes is enough for the others
        for size in reversed(sizes):
            runner.repeat(first_state(model, runner.sampling, (), (), size, 0, recorded=True), 1)
    except Exception as error:  # noqa: BLE001 (a compiler may raise anything: then it is not relied on)
        found = failed(f"steps of {size} rows", error, model.device, KERNELS)
        cache.drop()
        cache.graphs = model.network.kernels = None
        model.network.gated, model.race = silu_mul, race
        return [found]
    return []


def sizes_to_record(limit: float, row: int) -> list[int]:
    """Of the numbers of rows, which take `row` bytes each, those that are recorded; `limit`: bytes in all."""
    rows = max(min(RESERVED, limit // row), min(IF_ROOM, limit // 4 // row))
    return [size for size in (*BATCH_SIZES, 2 * BATCH_SIZES[-1]) if size <= rows]
