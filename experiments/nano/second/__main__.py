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

from experiments.nano.steps import check_steps, run_steps
from experiments.programs import COUNT, Positive, guarded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from experiments.nano.data.corpus import Corpus
    from experiments.nano.second.codec import Banks
    from experiments.nano.second.corpus import Shards


@dataclass(frozen=True)
class Options:
    """What the command line gave."""

    work: Path
    seed: int
    hours: float
    scale: float
    each: int
    count: int
    ear: str
    listener: str
    packages: Path

    def steps(self, full: int) -> int:
        """Training steps at the asked scale."""
        return max(1, round(full * self.scale))


PACKAGES = Path(__file__).resolve().parents[3]
ACOUSTIC_HOURS, FIRST_HOURS = 3.0, 9.5
"""Of the corpus, from which the acoustic encoder and the rest of the codec learn."""
ACOUSTIC_STEPS, ENCODER_STEPS, DECODER_STEPS, ADVERSARY_STEPS = 1500, 5000, 8000, 6000
GENERATOR_STEPS = 6000
SPEAKER_STEPS, WHISPER_STEPS, EMOTION_STEPS = 3000, 5000, 3000
RESYNTHESISED, RESYNTHESIS_SHARE = 6000, 0.4
BUCKETS = (128, 192, 256, 352, 480, 640, 832, 1024)


def first(o: Options) -> None:
    from experiments.nano.second.corpus import build

    build(o.work / "corpus", min(FIRST_HOURS, o.hours), o.seed)


def _first_shards(o: Options, hours: float = FIRST_HOURS) -> Shards:
    """The shards of the first hours, whatever has been spoken since."""
    from experiments.nano.second.corpus import Shards, shards_of

    return Shards(o.work / "corpus", shards_of(o.work / "corpus", min(hours, o.hours)))


def _banks(o: Options, hours: float = FIRST_HOURS) -> tuple[Shards, Banks]:
    """The first shards, aligned, and their filter banks."""
    from experiments.nano.data.prepare import align
    from experiments.nano.second.codec import Banks

    corpus = _first_shards(o, hours)
    align([corpus], o.seed)
    return corpus, Banks.of_corpus(corpus)


def acoustic(o: Options) -> None:
    from experiments.nano.second.acoustic import train_acoustic

    train_acoustic(*_banks(o, ACOUSTIC_HOURS), o.work / "acoustic", o.steps(ACOUSTIC_STEPS), o.seed)


def encoder(o: Options) -> None:
    from experiments.nano.second.encoder import train_encoder
    from experiments.nano.second.listener import Listener

    source, steps = o.work / "acoustic" / "model", o.steps(ENCODER_STEPS)
    train_encoder(*_banks(o), source, Listener(o.listener), o.work / "encoder", steps, o.seed)


def _first_codes(o: Options) -> tuple[Shards, list[NDArray[np.int64]]]:
    """The first shards and their codes."""
    from experiments.nano.second.encode import encode_shards, shard_codes

    corpus = _first_shards(o)
    encode_shards(o.work / "corpus", o.work / "encoder" / "model", o.work / "codes", len(corpus.parts))
    return corpus, shard_codes(corpus, o.work / "codes")


def decoder(o: Options) -> None:
    from experiments.nano.second.decoder import train_decoder
    from experiments.nano.second.listener import Listener

    source, steps = o.work / "encoder" / "model", o.steps(DECODER_STEPS)
    train_decoder(*_first_codes(o), source, Listener(o.listener), o.work / "decoder", steps, o.seed)


def adversary(o: Options) -> None:
    from experiments.nano.second.decoder import train_against
    from experiments.nano.second.listener import Listener

    source, steps = o.work / "decoder" / "model", o.steps(ADVERSARY_STEPS)
    train_against(*_first_codes(o), source, Listener(o.listener), o.work / "adversary", steps, o.seed)


def corpus(o: Options) -> None:
    from experiments.nano.second.corpus import build

    build(o.work / "corpus", o.hours, o.seed)


def encode(o: Options) -> None:
    from experiments.nano.second.encode import encode_shards

    encode_shards(o.work / "corpus", o.work / "encoder" / "model", o.work / "codes")


def generator(o: Options) -> None:
    from experiments.nano.data.prepare import align, prepare
    from experiments.nano.second.codec import CODES, LEVELS
    from experiments.nano.second.corpus import Shards
    from experiments.nano.second.encode import shard_codes
    from experiments.nano.train.generator import train_generator
    from experiments.nano.train.recipe import Recipe

    corpus = Shards(o.work / "corpus")
    align([corpus], o.seed)
    builder, pieces = prepare(corpus, shard_codes(corpus, o.work / "codes"), n_codes=CODES)
    groups = [f"{u.voice}-{u.style}" for u in corpus.utterances]
    recipe = Recipe(
        steps=o.steps(GENERATOR_STEPS),
        seed=o.seed,
        hidden=320,
        heads=5,
        inner=960,
        buckets=BUCKETS,
        levels=LEVELS,
    )
    training, held_out = corpus.split("train"), corpus.split("dev")[:96]
    train_generator(
        builder,
        [pieces[i] for i in training],
        [groups[i] for i in training],
        [pieces[i] for i in held_out],
        o.work / "generator",
        recipe,
    )


def resynthesis(o: Options) -> None:
    from experiments.nano.data.extra import build_resynthesis
    from experiments.nano.second.corpus import Shards
    from experiments.nano.second.encode import shard_codes
    from llasa_core.codec.codec import Codec

    corpus, codec = Shards(o.work / "corpus"), Codec.from_source(str(o.work / "adversary" / "model"))
    codes = shard_codes(corpus, o.work / "codes")
    build_resynthesis(o.work / "resynthesis", corpus, codes, codec, RESYNTHESISED, o.seed)


def _sources(o: Options) -> list[tuple[Corpus, float]]:
    """The corpus and what the codec makes of a part of it, with their shares of a batch."""
    from experiments.nano.data.corpus import Corpus
    from experiments.nano.second.corpus import Shards

    again = Corpus(o.work / "resynthesis")
    return [(Shards(o.work / "corpus"), 1 - RESYNTHESIS_SHARE), (again, RESYNTHESIS_SHARE)]


def speaker(o: Options) -> None:
    from experiments.nano.train.speaker import train_speaker

    train_speaker(_sources(o), o.work / "speaker", o.steps(SPEAKER_STEPS), o.seed)


def whisper(o: Options) -> None:
    from experiments.nano.train.whisper import train_whisper

    train_whisper(_sources(o), o.work / "whisper", o.steps(WHISPER_STEPS), o.seed)


def emotion(o: Options) -> None:
    from experiments.nano.train.emotion import train_emotion

    train_emotion(_sources(o), o.work / "emotion", o.steps(EMOTION_STEPS), o.seed)


def check(o: Options) -> None:
    from experiments.nano.second.check import check

    print(check(o.work / "corpus", o.work / "check.jsonl", o.each, o.seed, o.ear))


def evaluate(o: Options) -> None:
    from experiments.nano.second.corpus import Shards
    from experiments.nano.second.evaluate import evaluate_codec, evaluate_speaker
    from llasa_core.codec.codec import Codec

    speaker, corpus = o.work / "speaker" / "model", Shards(o.work / "corpus")
    trained = [o.work / step / "model" for step in ("adversary", "decoder")]
    source = next((path for path in trained if path.exists()), trained[-1])
    codec = Codec.from_source(str(source))
    print(f"the codec of the step {source.parent.name}\n")
    print(evaluate_codec(corpus, codec, o.count, o.ear, o.seed))
    if speaker.exists():
        print("", evaluate_speaker(corpus, codec, f"wavlm-sv:{speaker}", 4 * o.count, o.seed), sep="\n")


def ship(o: Options) -> None:
    from experiments.nano.second.export import export

    export(o.work, o.packages, o.ear)


Step = tuple[Callable[[Options], None], str]
STEPS: dict[str, Step] = {
    "first": (first, "speak the first hours, from which the codec learns"),
    "acoustic": (acoustic, "train the codec's acoustic encoder on them"),
    "encoder": (encoder, "train its semantic encoder and its quantizer"),
    "decoder": (decoder, "train its decoder by spectral losses"),
    "adversary": (adversary, "train its decoder against discriminators"),
    "corpus": (corpus, "speak the rest of the corpus"),
    "encode": (encode, "codes of the whole corpus"),
    "generator": (generator, "align the whole corpus and train the language model"),
    "resynthesis": (resynthesis, "the corpus as the codec says it, for the verifiers"),
    "speaker": (speaker, "train the speaker verifier"),
    "whisper": (whisper, "train the Whisper"),
    "emotion": (emotion, "train the emotion2vec (needs funasr)"),
}

CHECKS: dict[str, Step] = {
    "check": (check, "how clear and distinct the corpus' voices are, from the shards that there are"),
    "export": (ship, "copy the models and voice prompts into the packages"),
    "evaluate": (evaluate, "what the codec keeps, and how well speakers are told apart"),
}
"""Run only when they are asked for by name."""


def _listed(steps: dict[str, Step]) -> str:
    return "\n".join(f"  {name:11} {text}" for name, (_, text) in steps.items())


EPILOG = f"\b\nSteps, in their order:\n{_listed(STEPS)}\n\n\b\nOnly by name:\n{_listed(CHECKS)}"


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
@click.option("--each", type=click.IntRange(min=2), default=8, help="Clips of each voice, for check (8).")
@click.option("--count", type=COUNT, default=100, help="Recordings of a group, for evaluate (100).")
@click.option(
    "--ear", default="whisper:tiny.en", help="Recogniser, for check, evaluate and export (whisper:tiny.en)."
)
@click.option(
    "--listener",
    default="tiny.en",
    help="Whisper whose encoder the codec learns from: a name of openai-whisper's, or a folder (tiny.en).",
)
@click.option(
    "--packages",
    type=click.Path(path_type=Path),
    default=PACKAGES,
    help="Folder that holds llasa_core and verifiers, for export (of this program).",
)
def second(steps: tuple[str, ...], **options: Any) -> None:
    known = STEPS | CHECKS
    check_steps(steps, known)
    run_steps(steps or tuple(STEPS), known, Options(**options))


main = guarded(second)

if __name__ == "__main__":
    sys.exit(main())
