"""What is done on a GPU when a model is loaded, so that no request waits for it, and none is let down."""

from __future__ import annotations

import logging

from llasa_core.lm.batch import STEPS_AHEAD, first_state
from llasa_core.lm.kv_cache import COLUMNS
from llasa_core.lm.network import silu_mul
from llasa_core.lm.runner import BATCH_SIZES, ModelRunner
from llasa_core.lm.sampler import race
from llasa_core.lm.self_check import (
    Check,
    check_activation,
    check_attention,
    check_recording,
    check_sampler,
)

LOG = logging.getLogger(__name__)
RESERVED = 64
"""Rows for which cache and recorded steps are there before the first request; more are made when needed."""


def warm_up(runner: ModelRunner) -> list[Check]:
    """Compare kernels and recorded steps with plain ones, and leave out what does not agree, with a line in
    the log. Then reserve cache and record the steps of all numbers of rows up to `RESERVED`.

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
        for check in checks:
            if not check.passed:
                LOG.warning(
                    "%s: not what plain operations give on %s (%s): decoding does without, slower",
                    *(check.name, runner.model.device, check.detail),
                )
        if cache.graphs is not None and network.kernels is not None:
            _record(runner)
    return checks


def _record(runner: ModelRunner) -> None:
    model, cache = runner.model, runner.cache
    runner.look_at_memory(())
    columns = model.max_tokens + STEPS_AHEAD
    slots = min(RESERVED, int(cache.limit // (model.network.bytes_per_token * (columns + COLUMNS))))
    cache.reserve(slots, columns)
    # the largest first: the memory that it takes is enough for the others
    for size in [size for size in reversed(BATCH_SIZES) if size <= slots]:
        runner.repeat(first_state(model, runner.sampling, (), (), size, 0, recorded=True), 1)
