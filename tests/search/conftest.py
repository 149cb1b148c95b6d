"""A Ray cluster on this machine, and what the nano models say without one."""

import os
from collections.abc import Iterator

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import pytest
import torch

from search.engine import Searcher


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Two CPUs, whatever the machine has."""
    import ray

    from search.ray_options import OBJECT_STORE

    ray.init(
        "local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE,
        logging_level="ERROR",
        log_to_driver=False,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def nano() -> Searcher:
    """Local, with the preset's judge; one thread, as the actors have."""
    torch.set_num_threads(1)
    return Searcher.from_preset("nano", judges=("hubert-ctc:nano",))
