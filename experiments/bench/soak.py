"""`python -m experiments.bench.soak`: many utterances by actors of Ray, one of which is killed every few
seconds.

What comes out is compared, token for token, with a run in this process; the exit code is 1 if anything failed
or differs. Memory of all processes is watched meanwhile: each look is a line of soak.jsonl.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from experiments.bench.speech import held_out_requests
from experiments.bench.timing import tell
from experiments.nano.data.corpus import HELD_OUT_SENTENCES
from experiments.programs import COUNT, Positive, guarded
from search.backends.ray.backend import RayBackend
from search.backends.ray.options import RayOptions
from search.engine import Searcher
from search.results.result import SearchResult

LOOK_EVERY = 5.0


@dataclass(slots=True)
class Watcher:
    """Looks at the memory of this process and of all that it started, and kills an actor now and then."""

    path: Path
    backend: RayBackend
    kill_every: float
    seed: int
    done: Callable[[], int]
    looks: list[dict[str, float]] = field(default_factory=list)
    kills: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Until `over` is set."""
        began = time.monotonic()
        draw, next_kill = random.Random(self.seed), began + self.kill_every
        while not self.over.wait(min(LOOK_EVERY, max(0.0, next_kill - time.monotonic()))):
            now = time.monotonic()
            look = {"seconds": round(now - began, 1), "done": self.done(), "kills": self.kills, **memory()}
            self.looks.append(look)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(look) + "\n")
            pids = [row["pid"] for row in self.backend.workers() if row["pid"]]
            if now >= next_kill and pids:
                os.kill(draw.choice(pids), signal.SIGKILL)
                self.kills += 1
                next_kill = now + self.kill_every


def memory() -> dict[str, float]:
    """MiB in use by this process, by the actors, and by Ray's own processes beside them."""
    parents, names, sizes = {}, {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            status = dict(
                line.split(":\t", 1) for line in (entry / "status").read_text().splitlines() if ":\t" in line
            )
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        pid = int(entry.name)
        parents[pid], names[pid] = int(status["PPid"]), command.decode(errors="replace")
        sizes[pid] = int(status.get("VmRSS", "0").split()[0]) / 1024
    driver = os.getpid()
    below = {driver}
    for _ in range(4):  # raylet, then its workers
        below |= {pid for pid, parent in parents.items() if parent in below}
    actors = {pid for pid in below if names[pid].startswith("ray::Worker")}
    rest = below - actors - {driver}
    return {
        "driver": round(sizes[driver], 1),
        "actors": round(sum(sizes[pid] for pid in actors), 1),
        "ray": round(sum(sizes[pid] for pid in rest), 1),
    }


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line gave; see `main`."""

    out: Path
    utterances: int
    strategy: str
    kill_every: float
    actors: int
    threads: int
    restarts: int
    in_flight: int
    preset: str
    seed: int


def search_all(searcher: Searcher, options: Options, told: Callable[[int], None]) -> dict[str, object]:
    """By text, the tokens of every candidate, or the error. told: is called with how many are done."""
    found: dict[str, object] = {}
    wanted = held_out_requests(options.utterances, options.seed)
    for outcome in searcher.run_many(wanted, options.strategy, in_flight=options.in_flight):
        found[outcome.request.text] = (
            [candidate.tokens for candidate in sorted(outcome.candidates, key=lambda c: c.rank)]
            if isinstance(outcome, SearchResult)
            else f"{type(outcome.error).__name__}: {outcome.error}"
        )
        told(len(found))
    return found


def soak(options: Options) -> bool:
    """Prints what came of it; whether everything was done and is the same."""
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    ray = RayOptions(actors=options.actors, threads=options.threads, restarts=options.restarts)
    with Searcher.from_preset(options.preset, ray=ray) as searcher:
        assert isinstance(searcher.backend, RayBackend)
        done = [0]

        def told(count: int) -> None:
            done[0] = count
            tell(f"by actors: {count}/{options.utterances}")

        watcher = Watcher(
            options.out / "soak.jsonl", searcher.backend, options.kill_every, options.seed, lambda: done[0]
        )
        watcher.path.unlink(missing_ok=True)
        thread = threading.Thread(target=watcher.watch, daemon=True)
        thread.start()
        found = search_all(searcher, options, told)
        seconds = time.monotonic() - began
        watcher.over.set()
        thread.join()
        rows = searcher.backend.workers()
    with Searcher.from_preset(options.preset) as searcher:
        expected = search_all(
            searcher, options, lambda count: tell(f"in this process: {count}/{options.utterances}")
        )
    tell("")
    failed = [text for text, tokens in found.items() if isinstance(tokens, str)]
    same = sum(found.get(text) == tokens for text, tokens in expected.items())
    print(
        f"{options.strategy}, seed {options.seed}: {len(found)} of {options.utterances} utterances in "
        f"{seconds:.0f} s, "
        f"{len(failed)} failed, {same} with the tokens of a run in one process; {watcher.kills} kills, "
        f"{sum(row['restarts'] for row in rows)} restarts of {len(rows)} actors"
    )
    for text in failed[:5]:
        print(f"failed: {text}: {found[text]}")
    for part in ("driver", "ray", "actors"):
        print(f"memory, {part}: {trend([look[part] for look in watcher.looks])}")
    return same == len(expected) == options.utterances and not failed


def trend(values: Sequence[float]) -> str:
    """Medians of the second and the last fifth: the first one is for coming up."""
    if len(values) < 10:
        return "too few looks"
    fifth = len(values) // 5
    early, late = (statistics.median(part) for part in (values[fifth : 2 * fifth], values[-fifth:]))
    return (
        f"{early:.0f} MiB in the second fifth of the time, {late:.0f} in the last ({late / early - 1:+.1%})"
    )


@click.command(help=__doc__)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("soak"), help="Folder for soak.jsonl (soak)."
)
@click.option(
    "--utterances",
    type=click.IntRange(1, HELD_OUT_SENTENCES),
    default=300,
    help=f"At most {HELD_OUT_SENTENCES} (300).",
)
@click.option("--strategy", default="best-of-n?n=4&select=wer,sim", help="A strategy's spec.")
@click.option(
    "--kill-every",
    type=Positive(1e6),
    default=20.0,
    metavar="S",
    help="Seconds (20).",
)
@click.option("--actors", type=COUNT, default=2, help="How many (2).")
@click.option("--threads", type=COUNT, default=1, help="Of each actor (1).")
@click.option("--restarts", type=COUNT, default=5, help="Deaths in a row that end an actor (5).")
@click.option("--in-flight", type=COUNT, default=8, help="Utterances searched at once (8).")
@click.option("--preset", default="nano", help="Whose models (nano).")
@click.option("--seed", type=int, default=0, help="Of the searches and of the kills (0).")
def bench(**options: Any) -> int:
    return 0 if soak(Options(**options)) else 1


main = guarded(bench)

if __name__ == "__main__":
    sys.exit(main())
