"""``python -m experiments.nano``: train the nano family from nothing, on speech that synthesizers speak.

Every step goes on from its last checkpoint, so the command can be stopped and given again at any time.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.nano.steps import check_steps, run_steps
from experiments.programs import THREADS, Positive, guarded
from llasa_core.errors import UserError

if TYPE_CHECKING:
    from experiments.nano.data.corpus import Corpus

WORK = Path("nano_work")
PACKAGES = Path(__file__).resolve().parents[2]
CODEC_STEPS, DECODER_STEPS, JOINT_STEPS, GENERATOR_STEPS = 5000, 2500, 5500, 2800
SPEAKER_STEPS, WHISPER_STEPS, HUBERT_STEPS, EMOTION_STEPS = 1100, 2800, 6000, 2400
EXTRA_HOURS, RESYNTHESISED, SENTENCES = 3.0, 3000, 100
PROGRAMS = ("espeak-ng", "flite", "text2wave")


@dataclass(frozen=True)
class Options:
    """What the command line gave."""

    work: Path
    seed: int
    hours: float
    device: str
    scale: float

    def steps(self, full: int) -> int:
        """Training steps at the asked scale."""
        return max(1, round(full * self.scale))


def speak(o: Options) -> None:
    from experiments.nano.data.corpus import build

    build(o.work / "corpus", o.hours, o.seed)


def codec(o: Options) -> None:
    from experiments.nano.data.corpus import Corpus
    from experiments.nano.train.codec import train_codec

    train_codec(Corpus(o.work / "corpus"), o.work / "codec", o.steps(CODEC_STEPS), o.seed)


def align(o: Options) -> None:
    from experiments.nano.data.corpus import Corpus
    from experiments.nano.data.prepare import align

    align([Corpus(o.work / "corpus"), Corpus(o.work / "extra")], o.seed)


def decoder(o: Options) -> None:
    from experiments.nano.data.corpus import Corpus
    from experiments.nano.train.codec import refine_decoder
    from experiments.nano.train.encode import encode_corpus, load_codes

    source, codes = o.work / "codec" / "model", o.work / "codec" / "codes.npz"
    encode_corpus(o.work / "corpus", source, codes)
    steps = o.steps(DECODER_STEPS)
    refine_decoder(Corpus(o.work / "corpus"), load_codes(codes), source, o.work / "decoder", steps, o.seed)


def joint(o: Options) -> None:
    from experiments.nano.data.corpus import Corpus
    from experiments.nano.train.codec import train_joint

    source, steps = o.work / "decoder" / "model", o.steps(JOINT_STEPS)
    train_joint(Corpus(o.work / "corpus"), source, o.work / "joint", steps, o.seed)


def encode(o: Options) -> None:
    from experiments.nano.train.encode import encode_corpus

    encode_corpus(o.work / "corpus", o.work / "joint" / "model", o.work / "codes.npz")


def generator(o: Options) -> None:
    from experiments.nano.data.corpus import Corpus
    from experiments.nano.data.prepare import prepare
    from experiments.nano.train.encode import load_codes
    from experiments.nano.train.generator import train_generator
    from experiments.nano.train.recipe import Recipe

    corpus = Corpus(o.work / "corpus")
    builder, pieces = prepare(corpus, load_codes(o.work / "codes.npz"))
    groups = [f"{u.voice}-{u.style}" for u in corpus.utterances]
    training, held_out = corpus.split("train"), corpus.split("dev")[:96]
    train_generator(
        builder,
        [pieces[i] for i in training],
        [groups[i] for i in training],
        [pieces[i] for i in held_out],
        o.work / "generator",
        Recipe(steps=o.steps(GENERATOR_STEPS), seed=o.seed),
        o.device,
    )


def extra(o: Options) -> None:
    from experiments.nano.data.corpus import Corpus
    from experiments.nano.data.extra import build_extra_voices

    build_extra_voices(o.work / "extra", Corpus(o.work / "corpus"), EXTRA_HOURS * o.hours / 20, o.seed)


def resynthesis(o: Options) -> None:
    from experiments.nano.data.corpus import Corpus
    from experiments.nano.data.extra import build_resynthesis
    from experiments.nano.train.encode import load_codes
    from llasa_core.codec.codec import Codec

    codec, codes = Codec.from_source(str(o.work / "joint" / "model")), load_codes(o.work / "codes.npz")
    build_resynthesis(o.work / "resynthesis", Corpus(o.work / "corpus"), codes, codec, RESYNTHESISED, o.seed)


def speaker(o: Options) -> None:
    from experiments.nano.train.speaker import SHARES, train_speaker

    corpus, again, others = _corpora(o)
    sources = list(zip((corpus, others, again), SHARES, strict=True))
    train_speaker(sources, o.work / "speaker", o.steps(SPEAKER_STEPS), o.seed)


def whisper(o: Options) -> None:
    from experiments.nano.train.recognisers import mixture
    from experiments.nano.train.whisper import train_whisper

    train_whisper(mixture(*_corpora(o)), o.work / "whisper", o.steps(WHISPER_STEPS), o.seed)


def hubert(o: Options) -> None:
    from experiments.nano.train.hubert import train_hubert
    from experiments.nano.train.recognisers import mixture

    train_hubert(mixture(*_corpora(o)), o.work / "hubert", o.steps(HUBERT_STEPS), o.seed)


def emotion(o: Options) -> None:
    from experiments.nano.data.corpus import Corpus
    from experiments.nano.train.emotion import RESYNTHESISED, SHARES, resynthesise, train_emotion
    from llasa_core.codec.codec import Codec

    corpus, others, folder = Corpus(o.work / "corpus"), Corpus(o.work / "extra"), o.work / "emotion"
    trained = o.work / "joint" / "model"
    codec = Codec.from_source(str(trained) if trained.is_dir() else "nano/codec")
    resynthesise(folder / "resynthesis", corpus, codec, RESYNTHESISED, o.seed)
    sources = list(zip((corpus, others, Corpus(folder / "resynthesis")), SHARES, strict=True))
    train_emotion(sources, folder, o.steps(EMOTION_STEPS), o.seed)


def _corpora(o: Options) -> tuple[Corpus, Corpus, Corpus]:
    from experiments.nano.data.corpus import Corpus

    return Corpus(o.work / "corpus"), Corpus(o.work / "resynthesis"), Corpus(o.work / "extra")


def ship(o: Options) -> None:
    from experiments.nano.train.export import export

    export(o.work, PACKAGES)


def evaluate(o: Options) -> None:
    from experiments.nano.evaluate.codec import evaluate_codec
    from experiments.nano.evaluate.emotion import evaluate_emotion
    from experiments.nano.evaluate.generator import figures, judge, markdown, search
    from experiments.nano.evaluate.verifiers import evaluate as evaluate_verifiers
    from experiments.nano.train.encode import load_codes
    from llasa_core.codec.codec import Codec

    corpus, again, others = _corpora(o)
    cores = os.cpu_count() or 1
    codec = Codec.from_source("nano/codec")
    found = {
        "codec": evaluate_codec(corpus, load_codes(o.work / "codes.npz"), codec, 200, o.seed),
        "verifiers": evaluate_verifiers(corpus, again, others, PACKAGES / "verifiers" / "nano", o.seed),
        "emotion": evaluate_emotion(corpus, codec, PACKAGES / "verifiers" / "nano" / "emotion2vec", o.seed),
    }
    searched = search(
        o.work, "nano/generator", "nano/codec", o.work / "searched.jsonl", SENTENCES, o.seed, cores
    )
    records = judge(o.work, "nano/codec", searched, o.work / "judged.jsonl", o.seed, cores)
    found["generator"] = figures(records)
    (o.work / "figures.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found["codec"], indent=1), json.dumps(found["verifiers"], indent=1), sep="\n")
    print(json.dumps(found["emotion"], indent=1))
    print(markdown(found["generator"]))


STEPS: dict[str, tuple[Callable[[Options], None], str]] = {
    "corpus": (speak, "speak the corpus: texts, voices, acted styles"),
    "extra": (extra, "speak further voices, for the verifiers"),
    "align": (align, "align the sounds of the texts with the recordings"),
    "codec": (codec, "train the codec"),
    "decoder": (decoder, "train a deeper decoder on that codec's codes"),
    "joint": (joint, "train both together; the codes are to tell the sounds apart"),
    "encode": (encode, "codes of the whole corpus"),
    "generator": (generator, "train the language model"),
    "resynthesis": (resynthesis, "the corpus as the codec says it, for the verifiers"),
    "speaker": (speaker, "train the speaker verifier"),
    "whisper": (whisper, "train the Whisper"),
    "hubert": (hubert, "train the HuBERT-CTC"),
    "emotion": (emotion, "train the emotion2vec (needs funasr)"),
    "export": (ship, "copy the models and voice prompts into the packages"),
    "evaluate": (evaluate, "the figures of the model cards"),
}


EPILOG = "\b\nSteps, in their order:\n" + "\n".join(
    f"  {name:11} {text}" for name, (_, text) in STEPS.items()
)


@click.command(help=__doc__, epilog=EPILOG)
@click.argument("steps", nargs=-1, metavar="[STEP]...")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    default=WORK,
    help="Folder for data and checkpoints (nano_work).",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of everything that is drawn (0).")
@click.option("--hours", type=Positive(1000), default=20.0, help="Of speech in the corpus (20).")
@click.option("--device", default="cpu", help="Where the generator trains: cpu or cuda (cpu).")
@click.option(
    "--scale", type=Positive(100), default=1.0, help="Factor on all training steps, for a quick try (1)."
)
@click.option("--threads", type=THREADS, default=0, help="CPU threads of the trainings (all cores).")
def nano(steps: tuple[str, ...], threads: int, **options: Any) -> None:
    check_steps(steps, STEPS)
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise UserError(
            f"{missing[0]} is not installed: apt-get install "
            "espeak-ng flite festival festvox-kdlpc16k festvox-us-slt-hts"
        )
    import torch

    if threads:
        torch.set_num_threads(threads)
    run_steps(steps or tuple(STEPS), STEPS, Options(**options))


main = guarded(nano)

if __name__ == "__main__":
    sys.exit(main())
