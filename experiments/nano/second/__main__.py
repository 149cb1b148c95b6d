"""``python -m experiments.nano.second``: train the second edition of the nano family from nothing.

Every step goes on from where it stopped, so the command can be stopped and given again at any time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.programs import Positive, guarded
from llasa_core.errors import UserError, nearest

if TYPE_CHECKING:
    from experiments.nano.second.corpus import Shards


@dataclass(frozen=True)
class Options:
    """What the command line gave."""

    work: Path
    seed: int
    hours: float
    scale: float

    def steps(self, full: int) -> int:
        """Training steps at the asked scale."""
        return max(1, round(full * self.scale))


FIRST_HOURS = 5.0
CODEC_STEPS, DECODER_STEPS = 5000, 6000


def first(o: Options) -> None:
    from experiments.nano.second.corpus import build

    build(o.work / "corpus", min(FIRST_HOURS, o.hours), o.seed)


def _first_shards(o: Options) -> Shards:
    """The shards of the first hours, whatever has been spoken since."""
    from experiments.nano.second.corpus import Shards, shards_of

    return Shards(o.work / "corpus", shards_of(o.work / "corpus", min(FIRST_HOURS, o.hours)))


def codec(o: Options) -> None:
    from experiments.nano.data.prepare import align
    from experiments.nano.second.codec import train_codec

    corpus = _first_shards(o)
    align([corpus], o.seed)
    train_codec(corpus, o.work / "codec", o.steps(CODEC_STEPS), o.seed)


def decoder(o: Options) -> None:
    from experiments.nano.second.adversary import train_decoder
    from experiments.nano.second.encode import encode_shards, shard_codes

    corpus, source = _first_shards(o), o.work / "codec" / "model"
    encode_shards(o.work / "corpus", source, o.work / "codes", len(corpus.parts))
    codes, steps = shard_codes(corpus, o.work / "codes"), o.steps(DECODER_STEPS)
    train_decoder(corpus, codes, source, o.work / "decoder", steps, o.seed)


def corpus(o: Options) -> None:
    from experiments.nano.second.corpus import build

    build(o.work / "corpus", o.hours, o.seed)


def encode(o: Options) -> None:
    from experiments.nano.second.encode import encode_shards

    # the adversarial stage leaves the encoder alone, so codes of the codec before it are those of the codec after
    encode_shards(o.work / "corpus", o.work / "codec" / "model", o.work / "codes")


STEPS: dict[str, tuple[Callable[[Options], None], str]] = {
    "first": (first, "speak the first hours, from which the codec learns"),
    "codec": (codec, "train the codec on them"),
    "decoder": (decoder, "train its decoder against discriminators"),
    "corpus": (corpus, "speak the rest of the corpus"),
    "encode": (encode, "codes of the whole corpus"),
}

EPILOG = "\b\nSteps, in their order:\n" + "\n".join(
    f"  {name:11} {text}" for name, (_, text) in STEPS.items()
)


@click.command(help=__doc__, epilog=EPILOG)
@click.argument("steps", nargs=-1, metavar="[STEP]...")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    default=Path("nano2_work"),
    help="Folder for data and checkpoints (nano2_work).",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of everything that is drawn (0).")
@click.option("--hours", type=Positive(1000), default=60.0, help="Of speech in the corpus (60).")
@click.option(
    "--scale", type=Positive(100), default=1.0, help="Factor on all training steps, for a quick try (1)."
)
def second(steps: tuple[str, ...], **options: Any) -> None:
    for step in steps:
        if step not in STEPS:
            raise UserError(f"unknown step {step!r}{nearest(step, STEPS)}")
    for name in steps or STEPS:
        print(f"== {name}: {STEPS[name][1]}", file=sys.stderr, flush=True)
        STEPS[name][0](Options(**options))


main = guarded(second)

if __name__ == "__main__":
    sys.exit(main())
