"""The command `llasa-search`: `synth` speaks a text, `models` says what is installed.

Only the parser is imported at once: help and bad input answer without loading any model library.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from experiments.ray_arguments import add_ray
from experiments.recipes import apply_recipe, shipped
from search.strategies import explain

EXIT_DIFFERENT = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

SELECTIONS = """\
how a selection is written (--select), by the names of the metrics:
  "wer<=0,sim"                    among those with WER 0 the most similar; if there is none, the lowest WER
  "sim" or "wer,sim"              the best by one metric; where that is equal, by the next
  "weighted(sim=1,wer=2)"         the largest sum, each metric in its own units and in its better direction
  "ranks(sim,wer)"                the best mean of the places by each metric, which needs no units;
                                  with weights: "ranks(sim=2,wer=1)"
  "pareto(sim,wer)"               those that no other one beats by all metrics, the even compromise first
  "wer<=0.02,sim>=0.8,ranks(...)" bounds, with any of these behind them
Candidates that could not be judged come last; of equal ones the likelier, then the earlier one is taken.
"""

SCORE_EXAMPLES = """\
examples:
  word errors and likeness of the voice, by the models that are shipped:
    llasa-search score a.wav b.wav --text "the train is late" --reference voice.wav
  the best of many readings, first:
    llasa-search score all/*.wav --text "the train is late" --reference voice.wav --select "wer<=0,sim"
  the mean word error rate of a test set with its 95 % interval (list.txt: lines of path|text):
    llasa-search score --texts list.txt --verifier whisper:large-v3 --device cuda
  everything that a verifier says of one file:
    llasa-search score a.wav --verifier hubert-ctc:nano --text "the train is late" --json
"""


class Parser(argparse.ArgumentParser):
    """Answers bad usage with one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"error: {message} (see {self.prog} --help)\n")


class Collected(argparse.Action):
    """Collects the values of a repeatable option; the first one given replaces the default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        kept = [] if before is None or before is parser.get_default(self.dest) else before
        setattr(namespace, self.dest, [*kept, values])


def build_parser(recipe: str | None = None) -> argparse.ArgumentParser:
    """The parser of the command; options of `synth` have the recipe's values unless they are given."""
    parser = Parser(prog="llasa-search", description="Speak with Llasa, searched and judged.")
    parser.add_argument("--version", action="version", version=f"llasa-search {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    synth = commands.add_parser(
        "synth",
        help="speak a text: N candidates, the verifiers keep the best",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=synth_epilog(),
    )
    add_synth(synth)
    if recipe is not None:
        apply_recipe(synth, recipe)
    add_replay(commands.add_parser("replay", help="make a result again from the file that --json wrote"))
    add_score(
        commands.add_parser(
            "score",
            help="judge audio files against a text, a voice or an emotion",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            description="Judges audio files: a table on stdout, or JSON with all the evidence.",
            epilog=f"{SCORE_EXAMPLES}\n{SELECTIONS}",
        )
    )
    commands.add_parser("models", help="what is installed, where parts would come from, their licences")
    listing = commands.add_parser("verifiers", help="what can judge, what each needs, what can run here now")
    listing.add_argument("--json", action="store_true", help="the same as JSON")
    return parser


def add_synth(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", help="what to say")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("out.wav"), metavar="WAV", help="the winner"
    )
    parser.add_argument(
        "-n",
        type=int,
        metavar="N",
        help="candidates, or continuations of each beam (default: the strategy's)",
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same speech (default 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write scores, cost and manifest to FILE")
    parser.add_argument("--candidates", type=Path, metavar="DIR", help="write every candidate to DIR")
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="write each step of the search as JSON lines"
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="HTML",
        help="write a page with the search tree, to look at and listen to",
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME|YAML",
        help="options from a file, by their long names; those given here win (shipped: see below)",
    )
    voice = parser.add_argument_group("voice")
    voice.add_argument("--prompt-audio", type=Path, metavar="WAV", help="the voice to speak with")
    voice.add_argument("--prompt-text", metavar="TEXT", help="what is said in it")
    voice.add_argument("--voice", metavar="NAME", help="a shipped voice prompt (default: the first one)")
    voice.add_argument("--no-prompt", action="store_true", help="let the model choose a voice")
    voice.add_argument("--language", default="en", metavar="CODE", help="of the text (default en)")
    emotion = parser.add_argument_group(
        "emotion", "what emotion verifiers judge against, such as emotion2vec"
    )
    emotion.add_argument("--emotion", metavar="LABEL", help="such as happy; for emotion2vec?measure=label")
    emotion.add_argument("--emotion-audio", type=Path, metavar="WAV", help="speech with it, in any voice")
    models = parser.add_argument_group("models")
    models.add_argument("--preset", default="nano", help="see `llasa-search models` (default nano)")
    models.add_argument("--generator", metavar="SOURCE", help="a folder or hub id instead of the preset's")
    models.add_argument("--codec", metavar="SOURCE", help="a folder or hub id instead of the preset's")
    models.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ... (default cpu)")
    choice = parser.add_argument_group("search")
    choice.add_argument(
        "--strategy",
        default="best-of-n",
        metavar="NAME[?OPTION=VALUE&...]",
        help="how candidates are made and pruned (default best-of-n): see below",
    )
    choice.add_argument(
        "--budget",
        metavar="LIMIT=N,...",
        help="stop at so many candidates=, tokens=, seconds= or flops=; the best until then wins",
    )
    choice.add_argument(
        "--verifier", action=Collected, metavar="SPEC", help="searches; repeatable (default: the preset's)"
    )
    choice.add_argument(
        "--judge",
        action=Collected,
        metavar="SPEC",
        help="held out: reported, not searched with; repeatable (default: the preset's)",
    )
    choice.add_argument("--no-judge", action="store_true", help="leave out the preset's held-out judge")
    choice.add_argument(
        "--select", metavar="RULE", help='which candidate is the best, such as "wer<=0,sim": see below'
    )
    choice.add_argument("--temperature", type=float, help="default: the preset's")
    choice.add_argument("--top-p", type=float, help="default: the preset's")
    choice.add_argument("--top-k", type=int, help="only the K likeliest codes (default: all)")
    choice.add_argument("--min-p", type=float, help="none below this share of the likeliest (default: off)")
    choice.add_argument("--repetition-penalty", type=float, help="on codes already said (default 1: off)")
    choice.add_argument(
        "--memory",
        type=float,
        metavar="GIB",
        help="for keys and values; candidates that do not fit are spoken after the others (default: most of what is free)",
    )
    choice.add_argument(
        "--max-seconds", type=float, default=20.0, metavar="S", help="cut candidates off there (default 20)"
    )
    add_ray(parser)


def synth_epilog() -> str:
    """What the strategies and recipes are, and how a selection is written."""
    recipes = "\n".join(f"  {name:<18}{line}" for name, line in shipped().items())
    return f"{explain()}\n{SELECTIONS}\nrecipes (--recipe):\n{recipes}\n"


def add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("manifest", type=Path, metavar="RESULT.json", help="a result, or its manifest alone")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("replayed.wav"), metavar="WAV", help="the winner"
    )
    parser.add_argument("--prompt-audio", type=Path, metavar="WAV", help="the voice, if its file has moved")
    parser.add_argument(
        "--emotion-audio", type=Path, metavar="WAV", help="the emotion, if its file has moved"
    )
    for option, metavar in (
        ("--json", "FILE"),
        ("--candidates", "DIR"),
        ("--trace", "FILE"),
        ("--report", "HTML"),
    ):
        parser.add_argument(option, type=Path, metavar=metavar, help="as for synth")


def recipe_of(argv: Sequence[str] | None) -> str | None:
    """The recipe that the arguments name: it has to be known before they are read."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    early.add_argument("--recipe")
    try:
        found: str | None = early.parse_known_args(argv)[0].recipe
    except argparse.ArgumentError:
        return None
    return found


def add_score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="WAV", help="what is judged (WAV, FLAC, ...)")
    parser.add_argument("--json", action="store_true", help="print everything, evidence too, as JSON")
    parser.add_argument(
        "--verifier",
        action="append",
        metavar="SPEC",
        help="what judges, repeatable; `llasa-search verifiers` lists them "
        "(default: those of the nano preset that have what they need)",
    )
    parser.add_argument("--select", metavar="RULE", help="show the best first, such as wer<=0,sim: see below")
    parser.add_argument("--partial", action="store_true", help="the audio breaks off somewhere in the text")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ... (default cpu)")
    target = parser.add_argument_group("what the audio should be")
    target.add_argument("--text", help="what is said, in all files; digits of English are spelled out")
    target.add_argument(
        "--texts",
        type=Path,
        metavar="FILE",
        help="lines of path|text, paths relative to FILE; without WAV arguments all of its files are judged",
    )
    target.add_argument("--language", default="en", metavar="CODE", help="of the text (default en)")
    target.add_argument("--reference", type=Path, metavar="WAV", help="whose voice it should be")
    target.add_argument(
        "--resynthesis", type=Path, metavar="WAV", help="the reference as the codec says it again (SIM-r)"
    )
    target.add_argument("--emotion", metavar="NAME", help="which emotion it should have, such as happy")
    target.add_argument("--emotion-audio", type=Path, metavar="WAV", help="speech with that emotion")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Exit codes: 0 done, 1 replayed otherwise than it was, 2 bad input (one line on stderr), 130 interrupted."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from llasa_core.audio import AudioError
    from llasa_core.errors import UserError
    from verifiers.errors import VerifierError

    try:
        arguments = build_parser(recipe_of(argv)).parse_args(argv)
        if arguments.command == "synth":
            from experiments.synth import synth

            synth(arguments)
        elif arguments.command == "replay":
            from experiments.replay import replay

            return 0 if replay(arguments) else EXIT_DIFFERENT
        elif arguments.command == "score":
            from experiments.score import score

            score(arguments)
        elif arguments.command == "verifiers":
            from experiments.list_verifiers import print_verifiers

            print_verifiers(arguments.json)
        else:
            from experiments.models import print_models

            print_models()
    except (UserError, AudioError, VerifierError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def _version() -> str:
    try:
        return metadata.version("llasa-search")
    except metadata.PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
