"""`python -m tests.fuzz --draws 500 --seed 0`: how many draws ended as they should, and each that did not."""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
from pathlib import Path

from tests.fuzz.runner import Draw, Runner
from tests.fuzz.world import READERS, build


def fuzz(draws: int, seed: int, folder: Path) -> list[Draw]:
    """Every good document, then draws number `seed`, `seed + 1`, ..."""
    build(folder / "good")
    longest = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(
        0
    )  # documents with numbers of 5,000 digits are written here, and read elsewhere
    runner = Runner(folder / "good", folder)
    try:
        good = [_shown(runner.run_good(name, reader), 0) for name, reader in READERS.items()]
        return good + [_shown(runner.run(seed + k), k) for k in range(draws)]
    finally:
        runner.close()
        sys.set_int_max_str_digits(longest)


def _shown(draw: Draw, done: int) -> Draw:
    if draw.fault:
        print(
            f"draw {draw.seed}: {draw.what}: {str(draw.arguments)[:300]}\n"
            f"  {draw.fault}\n  {draw.stderr[:300]}",
            flush=True,
        )
    elif sys.stderr.isatty():
        print(f"\r{done + 1}", end="", file=sys.stderr, flush=True)
    return draw


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument(
        "--seed", type=int, default=0, help="number of the first draw; a draw depends on its number only"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(arguments.draws, arguments.seed, Path(folder))
    codes = collections.Counter(draw.code for draw in found)
    faults = [draw for draw in found if draw.fault]
    print(
        f"{len(found)} draws from {arguments.seed}, exit codes "
        f"{', '.join(f'{code}: {count}' for code, count in codes.most_common())}; "
        f"{sum(draw.loads for draw in found)} came to the models; {len(faults)} faults"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
