"""`python -m experiments.bench.text`: sentences a minute that one core brings to spoken form and compares.

Each sentence is normalised, and compared with a transcript of itself: its words without punctuation and
capitals, of every third sentence one word lost. Sentences are drawn from a file with a seed; a number before
each makes every text another, so that nothing that is remembered helps. No model library is needed.
"""

from __future__ import annotations

import random
import re
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from experiments.bench.timing import timed
from experiments.programs import COUNT, guarded
from llasa_core.errors import UserError
from llasa_core.text import spoken_form
from llasa_core.text.compare import compare

SENTENCES = Path(__file__).parents[2] / "tests/llasa_core/text/data/prose.txt"
MODEL_LIBRARIES = ("torch", "torchaudio", "transformers", "whisper")
WANTED = 10_000
"""Sentences a minute."""
PARTS = 5
"""How many times the same number of new sentences is timed."""


@click.command(help=__doc__)
@click.option(
    "--file",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=SENTENCES,
    help="One sentence a line (those of the tests).",
)
@click.option("--count", type=COUNT, default=2000, help=f"Sentences in each of {PARTS} runs (2000).")
@click.option("--seed", type=int, default=1, help="Of the draw (1).")
@click.option("--language", default="en", help="A language code (en).")
def bench(path: Path, count: int, seed: int, language: str) -> None:
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip() and line[:2] != "# "]
    if not lines:
        raise UserError(f"{path} holds no sentence: write one a line")
    rng = random.Random(seed)
    first = [("a word", "a word")]
    print(f"{path.name}, {len(lines)} sentences, seed {seed}, {PARTS} runs of n = {count}, one core")
    for offset, (name, work) in enumerate(WORK.items()):
        work(first, language)  # rules and dictionaries are loaded
        rates = []
        for part in range(PARTS):
            drawn = draw(lines, count, rng, begin=count * (PARTS * offset + part))
            rates.append(60 * count / timed(partial(work, drawn, language)))
        print(
            f"{name:21} {statistics.median(rates):9,.0f} sentences a minute, median of {PARTS} "
            f"[lowest {min(rates):,.0f}, highest {max(rates):,.0f}]; wanted: {WANTED:,}"
        )
    loaded = [name for name in MODEL_LIBRARIES if name in sys.modules]
    print(f"model libraries imported: {', '.join(loaded) or 'none'}")


main = guarded(bench)


def draw(lines: Sequence[str], count: int, rng: random.Random, begin: int) -> list[tuple[str, str]]:
    """`count` sentences, each with a transcript of it; the numbers before them begin behind `begin`."""
    found = []
    for index in range(count):
        text = f"{begin + index + 1:,} times: {rng.choice(lines)}"
        words = re.sub(r"[,;:!?\"]|\.(?!\d)", "", text.lower()).split()
        if index % 3 == 2:
            del words[rng.randrange(len(words))]
        found.append((text, " ".join(words)))
    return found


def normalise(drawn: Sequence[tuple[str, str]], language: str) -> None:
    for text, _ in drawn:
        spoken_form(text, language)


def normalise_and_compare(drawn: Sequence[tuple[str, str]], language: str) -> None:
    for text, transcript in drawn:
        spoken_form(text, language)
        compare(text, transcript, language)


WORK = {"normalise": normalise, "normalise and compare": normalise_and_compare}


if __name__ == "__main__":
    sys.exit(main())
