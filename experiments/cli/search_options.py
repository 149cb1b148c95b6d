"""How and with what to search: the options that `synth` and `run` share, on the command line or in a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from experiments.cli.commands import typed
from experiments.cli.options import Decorator, bundled, device, kinds, option, verifier
from experiments.cli.parameters import ActorsType, Decimal, SpecType, TextType, Whole, shown
from experiments.cli.recipes import read_recipe, shipped
from experiments.config import SearchOptions
from llasa_core.errors import UserError, nearest
from llasa_core.presets import PRESETS
from search.backends.ray.options import RayOptions
from search.bounds import MOST_CANDIDATES
from search.models import LONGEST_SECONDS, MAX_SECONDS, MOST_MEMORY
from search.strategies.registry import explain, read

RAY = RayOptions()
MOST = 10**6
"""Of what has no bound of its own."""
FOR_THE_CALL = (
    "recipe",
    "output",
    "json",
    "trace",
    "report",
    "candidates",
    "resume",
    "retry_failed",
    "limit",
    "in_flight",
    "text_column",
    "id_column",
)
"""What a recipe cannot set: it belongs to one call."""
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


def search() -> Decorator[Any]:
    """How and with what to search, as `search: SearchOptions`, and the `recipe` that it may come from."""

    def decorate(function: Any) -> Any:
        return _recipe()(bundled("search", _search_options, options)(function))

    options = [*_models(), *_search(), *_sampling(), *_ray()]
    return decorate


def _models() -> list[Decorator[Any]]:
    source = TextType()
    return [
        option(
            "--preset",
            type=TextType(lambda: PRESETS),
            default="nano",
            metavar="NAME",
            group="models",
            help="see `llasa-search models` (default nano)",
        ),
        option(
            "--generator", type=source, metavar="SOURCE", group="models", help="a folder or hub id instead"
        ),
        option(
            "--codec",
            type=source,
            metavar="SOURCE",
            group="models",
            help="a folder or hub id instead of the preset's",
        ),
        device("models"),
        option(
            "--memory",
            type=Decimal(0, MOST_MEMORY / 2**30, above=True),
            metavar="GIB",
            group="models",
            help="for keys and values; candidates that do not fit are spoken after the others "
            "(default: most of what is free)",
        ),
    ]


def _search() -> list[Decorator[Any]]:
    group = "search"
    return [
        option(
            "--strategy",
            type=SpecType(explained),
            default="best-of-n",
            metavar="NAME[?OPTION=VALUE&...]",
            group=group,
            help="how candidates are made and pruned (default best-of-n): see below",
        ),
        option(
            "-n",
            type=Whole(1, MOST_CANDIDATES),
            metavar="N",
            group=group,
            help="candidates, or continuations of each beam (default: the strategy's)",
        ),
        option(
            "--select",
            type=TextType(),
            metavar="RULE",
            group=group,
            help='which candidate is the best, such as "wer<=0,sim": see below',
        ),
        option(
            "--budget",
            type=SpecType(),
            metavar="LIMIT=N,...",
            group=group,
            help="for each text: stop at so many candidates=, tokens=, seconds= or flops=; the best until then wins",
        ),
        verifier("searches; repeatable; a kind alone has the preset's source (default: the preset's)", group),
        option(
            "--judge",
            "judges",
            type=TextType(kinds),
            multiple=True,
            metavar="SPEC",
            group=group,
            help="held out: reported, not searched with; repeatable (default: the preset's)",
        ),
        option("--no-judge", is_flag=True, group=group, help="leave out the preset's held-out judge"),
        option(
            "--max-seconds",
            type=Decimal(0, LONGEST_SECONDS, above=True),
            default=MAX_SECONDS,
            metavar="S",
            group=group,
            help=f"cut candidates off there (default {MAX_SECONDS:g})",
        ),
    ]


def _recipe() -> Decorator[Any]:
    return option(
        "--recipe",
        type=TextType(shipped),
        metavar="NAME|YAML",
        group="search",
        is_eager=True,
        callback=_take_recipe,
        help="options from a file, by their long names; those given here win (shipped: see below)",
    )


def _sampling() -> list[Decorator[Any]]:
    group = "sampling"
    return [
        option("--temperature", type=Decimal(0, 100), metavar="T", group=group, help="default: the preset's"),
        option(
            "--top-p", type=Decimal(0, 1, above=True), metavar="P", group=group, help="default: the preset's"
        ),
        option(
            "--top-k",
            type=Whole(0, MOST),
            metavar="K",
            group=group,
            help="only the K likeliest codes (default: all)",
        ),
        option(
            "--min-p",
            type=Decimal(0, 1),
            metavar="P",
            group=group,
            help="none below this share of the likeliest (default: off)",
        ),
        option(
            "--repetition-penalty",
            type=Decimal(0, 100, above=True),
            metavar="X",
            group=group,
            help="on codes that the candidate already has (default 1: off)",
        ),
    ]


def _ray() -> list[Decorator[Any]]:
    group = "ray: the models in several processes, on one machine or a cluster"
    return [
        option(
            "--ray",
            type=ActorsType(lambda: ("auto",)),
            metavar="N",
            group=group,
            help='run the models in so many actors of Ray; "auto": one for each GPU, or for every four cores',
        ),
        option(
            "--ray-address",
            type=TextType(),
            metavar="HOST:PORT",
            group=group,
            help='of a running cluster, or "auto" (default: one is started on this machine)',
        ),
        option(
            "--ray-gpus",
            type=Decimal(0, 1024, above=True),
            metavar="SHARE",
            group=group,
            help="GPUs of an actor, such as 0.5 (default 1)",
        ),
        option(
            "--ray-threads", type=Whole(1, 1024), metavar="N", group=group, help="CPU threads of an actor"
        ),
        option(
            "--ray-verifiers",
            type=Whole(0, ActorsType.most),
            metavar="N",
            group=group,
            help="so many actors more run codec and verifiers, the others the generator alone (default: all run all)",
        ),
        option(
            "--ray-timeout",
            type=Decimal(0, MOST, above=True),
            metavar="S",
            group=group,
            help=f"an actor that has not answered for so long is started anew (default {RAY.timeout:g})",
        ),
        option(
            "--ray-restarts",
            type=Whole(0, MOST),
            metavar="N",
            group=group,
            help=f"deaths in a row after which an actor is given up (default {RAY.restarts})",
        ),
    ]


def explained() -> Iterable[str]:
    """The names of the strategies."""
    return (line.partition(":")[0] for line in explain().splitlines() if not line.startswith(" "))


def search_notes() -> str:
    """What the strategies and recipes are, and how a selection is written."""
    recipes = "\n".join(f"  {name:<18}{line}" for name, line in shipped().items())
    return f"strategies (--strategy):\n{explain()}\n\n{SELECTIONS}\nrecipes (--recipe):\n{recipes}\n"


def _search_options(
    *, strategy: str | Mapping[str, Any], n: int | None, select: str | None, **values: Any
) -> SearchOptions:
    ray = {name: values.pop(name) for name in list(values) if name.partition("_")[0] == "ray"}
    chosen = choose_strategy(click.get_current_context(), strategy, {"n": n, "select": select})
    return SearchOptions(strategy=chosen, ray=ray_options(**ray), **values)


def choose_strategy(
    ctx: click.Context, strategy: str | Mapping[str, Any], beside: Mapping[str, Any]
) -> dict[str, Any]:
    """The strategy with the options that stand `beside` it. What is typed replaces what a recipe says, in the
    strategy too. Raises UserError if two values contradict each other that are both typed, or both in the recipe."""
    name, given = read(strategy)
    for key, value in beside.items():
        if value is None:
            continue
        if typed(ctx, key) and not typed(ctx, "strategy"):
            given[key] = value
        elif str(given.setdefault(key, value)) != str(value) and typed(ctx, key) == typed(ctx, "strategy"):
            dashes = "-" if len(key) == 1 else "--"
            raise UserError(f"{dashes}{key} {value} contradicts {key}={given[key]} of the strategy {name}")
    return {"name": name, **given}


def ray_options(*, ray: str | None, ray_verifiers: int | None, **values: Any) -> RayOptions | None:
    """The options of Ray, or None without --ray. Raises UserError for options without --ray."""
    given = {name.removeprefix("ray_"): value for name, value in values.items() if value is not None}
    if ray is None:
        if given or ray_verifiers is not None:
            name = next(iter(given), "verifiers")
            raise UserError(f"--ray-{name} without --ray: add --ray N or --ray auto")
        return None
    return RayOptions(actors=0 if ray == "auto" else int(ray), verifier_actors=ray_verifiers or 0, **given)


def _take_recipe(ctx: click.Context, param: click.Parameter, name: str | None) -> str | None:
    """Makes the options of a recipe the defaults of the command. Raises UserError for one that the command lacks."""
    if name is None:
        return None
    known = {
        opt.lstrip("-").replace("-", "_"): own
        for own in ctx.command.params
        if isinstance(own, click.Option) and own.name not in FOR_THE_CALL
        for opt in own.opts
    }
    values: dict[str, Any] = {}
    for key, value in read_recipe(name).items():
        own = known.get(key.replace("-", "_"))
        if own is None or own.name is None:
            raise UserError(f"--recipe {name}: no option {key!r}{nearest(key, known)}")
        if own.is_flag and not isinstance(value, bool):
            raise UserError(f"--recipe {name}: {key} is switched on or off: write true or false")
        if own.multiple:
            value = [value] if isinstance(value, str) else value
            if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
                raise UserError(f"--recipe {name}: {key} is {shown(value)}: give text, or a list of texts")
        values[own.name] = value
    ctx.default_map = values
    return name
