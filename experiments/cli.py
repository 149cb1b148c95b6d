"""The command `llasa-search`: `synth` speaks a text, `models` says what is installed.

Only the parser is imported at once: help and bad input answer without loading any model library.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NoReturn

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """Answers bad usage with one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"error: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="llasa-search", description="Speak with Llasa, searched and judged.")
    parser.add_argument("--version", action="version", version=f"llasa-search {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    add_synth(commands.add_parser("synth", help="speak a text: N candidates, the verifiers keep the best"))
    commands.add_parser("models", help="what is installed, where parts would come from, their licences")
    return parser


def add_synth(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", help="what to say")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("out.wav"), metavar="WAV", help="the winner"
    )
    parser.add_argument("-n", type=int, default=16, metavar="N", help="candidates (default 16)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same speech (default 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write scores, cost and manifest to FILE")
    parser.add_argument("--candidates", type=Path, metavar="DIR", help="write every candidate to DIR")
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
        "--verifier", action="append", metavar="SPEC", help="searches; repeatable (default: the preset's)"
    )
    choice.add_argument(
        "--judge",
        action="append",
        metavar="SPEC",
        help="held out: reported, not searched with; repeatable (default: the preset's)",
    )
    choice.add_argument("--no-judge", action="store_true", help="leave out the preset's held-out judge")
    choice.add_argument(
        "--select", metavar="RULE", help='such as "wer<=0,sim": among those with WER 0 the most similar'
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


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Exit codes: 0 done, 2 bad input (one line on stderr), 130 interrupted."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from llasa_core.audio import AudioError
    from llasa_core.errors import UserError
    from verifiers.errors import VerifierError

    try:
        arguments = build_parser().parse_args(argv)
        if arguments.command == "synth":
            from experiments.synth import synth

            synth(arguments)
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
