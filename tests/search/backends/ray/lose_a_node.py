"""A search over two nodes of a Ray cluster, of which one is lost in the middle. Prints a line if nothing
differs."""

import os
import threading
import time

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
import torch
from ray.cluster_utils import Cluster

from search.engine import Searcher
from tests.search.backends.ray.helpers import (
    JUDGES,
    PARTIAL,
    TEXTS,
    VERIFIERS,
    assert_same,
    backend_of,
    far,
    run,
    wait_until_ready,
)


def main() -> None:
    torch.set_num_threads(1)
    expected = run(Searcher.from_preset("nano", verifiers=VERIFIERS, judges=JUDGES), PARTIAL)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": 128 * 2**20, "include_dashboard": False},
    )
    second = cluster.add_node(num_cpus=1, object_store_memory=128 * 2**20)
    cluster.wait_for_nodes()
    with far(2, address=cluster.address) as searcher:
        wait_until_ready(searcher, 2)
        backend = backend_of(searcher)
        nodes = {
            backend.pool.ray.get(actor.handle.__ray_call__.remote(_node)) for actor in backend.pool.actors
        }
        assert len(nodes) == 2, "both actors are on one node"
        began = time.perf_counter()
        for text, outcome in run(searcher, PARTIAL).items():
            assert_same(outcome, expected[text])
        duration = time.perf_counter() - began
        lost: list[float] = []

        def lose() -> None:
            time.sleep(duration / 3)
            cluster.remove_node(second, allow_graceful=False)
            lost.append(time.perf_counter())

        thread = threading.Thread(target=lose)
        thread.start()
        found = run(searcher, PARTIAL)
        ended = time.perf_counter()
        thread.join()
        assert lost and lost[0] < ended, "the node was lost too late"
        for text in TEXTS:
            assert_same(found[text], expected[text])
        states = sorted(row["state"] for row in backend.workers())
        # there is no room for a second actor any more
        assert states == ["ready", "starting"], states
        print(
            f"same: {len(found)} results, {ended - began - duration:.1f} s with the loss, "
            f"{duration:.1f} s without"
        )
    ray.shutdown()
    cluster.shutdown()


def _node(worker: object) -> str:
    return str(ray.get_runtime_context().get_node_id())


if __name__ == "__main__":
    main()
