"""The command `llasa-search`: `synth` speaks a text, `run` many, `models` says what is installed.

Only the parser is imported at once: help and bad input answer without loading any model library.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from experiments.cli.options import SELECTIONS, add_search, search_help
from experiments.cli.recipes import apply_recipe

EXIT_DIFFERENT = 1
EXIT_SOME_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

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

RUN_HELP = """\
Speaks every text of a file, with the options of synth for all of them. A row says what differs for it:
  text (required), id, prompt_audio with prompt_text, or voice (a shipped one), language, emotion,
  emotion_audio, seed; paths are relative to INPUT. A .txt file has one text a line, a .lst file is a meta.lst
  of seed-tts-eval (id|prompt_text|prompt_audio|text). The id (without one, the row's number) names the file
  and, with the seed, decides the randomness: a result depends on no other row.
"""

RUN_EXAMPLES = """\
examples:
  the best of 16 for every line, with the shipped voice:
    llasa-search run sentences.txt -o spoken -n 16
  go on after Ctrl-C, a kill or a full disk; then try those again that failed:
    llasa-search run sentences.txt -o spoken -n 16 --resume
    llasa-search run sentences.txt -o spoken -n 16 --resume --retry-failed
  seed-tts-eval by the paper's best search, 16 texts at once; first ten of them to see that it works:
    llasa-search run meta.lst -o zero-shot --preset llasa-1b --device cuda --recipe paper-partial-prm \\
        --in-flight 16 --limit 10
  one of them again, sample for sample:
    llasa-search replay spoken --id 000007 -o again.wav
"""


class Parser(argparse.ArgumentParser):
    """Answers bad usage with one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"error: {message} (see {self.prog} --help)\n")


def build_parser(recipe: str | None = None) -> argparse.ArgumentParser:
    """The parser of the command; options of `synth` and `run` have the recipe's values unless they are given."""
    parser = Parser(prog="llasa-search", description="Speak with Llasa, searched and judged.")
    parser.add_argument("--version", action="version", version=f"llasa-search {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    synth = commands.add_parser(
        "synth",
        help="speak a text: N candidates, the verifiers keep the best",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=search_help(),
    )
    add_synth(synth)
    run = commands.add_parser(
        "run",
        help="speak many texts into a folder; goes on where it was stopped",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=RUN_HELP,
        epilog=f"{RUN_EXAMPLES}\n{search_help()}",
    )
    add_run(run)
    if recipe is not None:
        apply_recipe(synth, recipe)
        apply_recipe(run, recipe)
    add_replay(commands.add_parser("replay", help="make a result again: from --json, or from a run's folder"))
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
    add_search(parser)


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", type=Path, metavar="INPUT", help=".jsonl, .csv, .parquet, .lst (seed-tts-eval) or .txt"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="audio/ID.wav, records.jsonl, table.csv",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with what DIR holds: nothing is done twice"
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="with --resume: try those again that failed"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N texts")
    parser.add_argument(
        "--in-flight",
        type=int,
        metavar="N",
        help="texts searched at once, in shared batches; no result depends on it (default 8, with --ray 8 for each actor)",
    )
    add_search(parser)


def add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "manifest",
        type=Path,
        metavar="RESULT",
        help="a result of --json, its manifest alone, or with --id the folder of a run",
    )
    parser.add_argument("--id", metavar="ID", help="which text of the run")
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
    """Runs one command. Exit codes: 0 done; 1 replayed otherwise than it was, or some texts of a run
    failed; 2 bad input or a full disk (one line on stderr); 130 interrupted."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from llasa_core.audio import AudioError
    from llasa_core.errors import UserError
    from verifiers.errors import VerifierError

    try:
        arguments = build_parser(recipe_of(argv)).parse_args(argv)
        if arguments.command == "synth":
            from experiments.cli.synth import synth

            synth(arguments)
        elif arguments.command == "run":
            from experiments.cli.run import run

            return run(arguments)
        elif arguments.command == "replay":
            from experiments.cli.replay import replay

            return 0 if replay(arguments) else EXIT_DIFFERENT
        elif arguments.command == "score":
            from experiments.cli.score import score

            score(arguments)
        elif arguments.command == "verifiers":
            from experiments.cli.verifiers import print_verifiers

            print_verifiers(arguments.json)
        else:
            from experiments.cli.models import print_models

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
