"""`python -m experiments.bench.soak`: many utterances by actors of Ray, one of which is killed every few seconds.

What comes out is compared, token for token, with a run in this process; the exit code is 1 if anything failed or differs.
Memory of all processes is watched meanwhile: each look is a line of soak.jsonl.
"""

from __future__ import annotations

import argparse
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

from experiments.nano.data.corpus import HELD_OUT_SENTENCES
from experiments.studies.study import requests
from llasa_core.errors import UserError
from llasa_core.presets import find_preset
from search.backends.ray.backend import RayBackend
from search.backends.ray.options import RayOptions
from search.engine import Searcher
from search.results.result import SearchResult
from search.strategies.registry import build
from verifiers.errors import VerifierError
from verifiers.registry import directions

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


def speak(
    searcher: Searcher, arguments: argparse.Namespace, told: Callable[[int], None]
) -> dict[str, object]:
    """Tokens of every candidate, or the error, by text."""
    preset = find_preset(arguments.preset)
    strategy = build(arguments.strategy, directions(*preset.verifiers))
    found: dict[str, object] = {}
    wanted = requests(arguments.utterances, arguments.seed)
    for outcome in searcher.run_many(wanted, strategy, in_flight=arguments.in_flight):
        found[outcome.request.text] = (
            [candidate.tokens for candidate in sorted(outcome.candidates, key=lambda c: c.rank)]
            if isinstance(outcome, SearchResult)
            else f"{type(outcome.error).__name__}: {outcome.error}"
        )
        told(len(found))
    return found


def soak(arguments: argparse.Namespace) -> bool:
    """Prints what came of it; whether everything was done and is the same."""
    arguments.out.mkdir(parents=True, exist_ok=True)

    def tell(what: str) -> Callable[[int], None]:
        return lambda count: print(
            f"\r{what}: {count}/{arguments.utterances}   ", end="", file=sys.stderr, flush=True
        )

    options = RayOptions(actors=arguments.actors, threads=arguments.threads, restarts=arguments.restarts)
    began = time.monotonic()
    with Searcher.from_preset(arguments.preset, ray=options) as searcher:
        assert isinstance(searcher.backend, RayBackend)
        counted = [0]

        def told(count: int) -> None:
            counted[0] = count
            tell("by actors")(count)

        watcher = Watcher(
            arguments.out / "soak.jsonl",
            searcher.backend,
            arguments.kill_every,
            arguments.seed,
            lambda: counted[0],
        )
        watcher.path.unlink(missing_ok=True)
        thread = threading.Thread(target=watcher.watch, daemon=True)
        thread.start()
        found = speak(searcher, arguments, told)
        seconds = time.monotonic() - began
        watcher.over.set()
        thread.join()
        rows = searcher.backend.workers()
    print(file=sys.stderr)
    with Searcher.from_preset(arguments.preset) as searcher:
        expected = speak(searcher, arguments, tell("in this process"))
    print(file=sys.stderr)
    failed = [text for text, tokens in found.items() if isinstance(tokens, str)]
    same = sum(found.get(text) == tokens for text, tokens in expected.items())
    print(
        f"{arguments.strategy}, seed {arguments.seed}: {len(found)} of {arguments.utterances} utterances in {seconds:.0f} s, "
        f"{len(failed)} failed, {same} with the tokens of a run in one process; {watcher.kills} kills, "
        f"{sum(row['restarts'] for row in rows)} restarts of {len(rows)} actors"
    )
    for text in failed[:5]:
        print(f"failed: {text}: {found[text]}")
    for part in ("driver", "ray", "actors"):
        print(f"memory, {part}: {trend([look[part] for look in watcher.looks])}")
    return same == len(expected) == arguments.utterances and not failed


def trend(values: Sequence[float]) -> str:
    """Medians of the second and the last fifth: the first one is for coming up."""
    if len(values) < 10:
        return "too few looks"
    fifth = len(values) // 5
    early, late = (statistics.median(part) for part in (values[fifth : 2 * fifth], values[-fifth:]))
    return (
        f"{early:.0f} MiB in the second fifth of the time, {late:.0f} in the last ({late / early - 1:+.1%})"
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bench.soak",
        description="Searches many utterances by actors of Ray, kills one every few seconds, and compares.",
    )
    parser.add_argument("--out", type=Path, default=Path("soak"), help="folder for soak.jsonl (soak)")
    parser.add_argument("--utterances", type=int, default=300, help=f"at most {HELD_OUT_SENTENCES} (300)")
    parser.add_argument("--strategy", default="best-of-n?n=4&select=wer,sim", help="a strategy's spec")
    parser.add_argument("--kill-every", type=float, default=20.0, metavar="S", help="seconds (20)")
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of each actor (1)")
    parser.add_argument("--restarts", type=int, default=5, help="deaths in a row that end an actor (5)")
    parser.add_argument("--in-flight", type=int, default=8, help="utterances searched at once (8)")
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    try:
        if not 1 <= arguments.utterances <= HELD_OUT_SENTENCES or not arguments.kill_every > 0:
            raise UserError(f"--utterances from 1 to {HELD_OUT_SENTENCES}, --kill-every more than 0")
        return 0 if soak(arguments) else 1
    except (UserError, VerifierError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
