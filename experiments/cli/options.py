"""Options that `synth` and `run` share: how to search, with what models and voice; and what their help says of it."""

import argparse
from pathlib import Path
from typing import Any

from experiments.cli.ray_options import add_ray
from experiments.cli.recipes import shipped
from search.strategies.registry import explain

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


def add_search(parser: argparse.ArgumentParser) -> None:
    """Everything of a search but its text and where the results go."""
    parser.add_argument(
        "-n",
        type=int,
        metavar="N",
        help="candidates, or continuations of each beam (default: the strategy's)",
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same speech (default 0)")
    parser.add_argument(
        "--recipe",
        metavar="NAME|YAML",
        help="options from a file, by their long names; those given here win (shipped: see below)",
    )
    add_voice(parser)
    add_models(parser)
    add_choice(parser)
    add_ray(parser)


def add_voice(parser: argparse.ArgumentParser) -> None:
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


def add_models(parser: argparse.ArgumentParser) -> None:
    models = parser.add_argument_group("models")
    models.add_argument("--preset", default="nano", help="see `llasa-search models` (default nano)")
    models.add_argument("--generator", metavar="SOURCE", help="a folder or hub id instead of the preset's")
    models.add_argument("--codec", metavar="SOURCE", help="a folder or hub id instead of the preset's")
    models.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ... (default cpu)")


def add_choice(parser: argparse.ArgumentParser) -> None:
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
        help="for each text: stop at so many candidates=, tokens=, seconds= or flops=; the best until then wins",
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


def search_help() -> str:
    """What the strategies and recipes are, and how a selection is written."""
    recipes = "\n".join(f"  {name:<18}{line}" for name, line in shipped().items())
    return f"{explain()}\n{SELECTIONS}\nrecipes (--recipe):\n{recipes}\n"
