"""A Ray cluster on this machine, and what the nano models say without one."""

import os
from collections.abc import Iterator

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import pytest
import torch

from search.engine import Searcher
from tests.search.backends.ray.helpers import JUDGES, far, trouble_folder, wait_until_ready


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """With room for all actors of the tests, however many cores there are."""
    import ray

    from search.backends.ray.cluster import NICENESS, OBJECT_STORE

    os.environ.setdefault(NICENESS, "0")  # starved actors would count as hung
    ray.init(
        "local",
        num_cpus=8,
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
    return Searcher.from_preset("nano", judges=JUDGES)


@pytest.fixture(scope="session")
def two_actors(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """They may be made to fail (see kinds.py), are killed when they hang for six seconds, have at most three
    tasks, and give up a task of which two of them have died."""
    verifiers = (
        "whisper:nano",
        "wavlm-sv:nano",
        f"trouble:{trouble_folder(tmp_path_factory.mktemp('trouble'))}",
    )
    with far(2, verifiers, units=3, timeout=6.0, attempts=2) as found:
        yield found


@pytest.fixture
def pair(two_actors: Searcher) -> Searcher:
    """Both of them alive."""
    wait_until_ready(two_actors, 2)
    return two_actors
