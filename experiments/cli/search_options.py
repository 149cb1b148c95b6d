"""How and with what to search: options of `synth` and `run`, on the command line or in a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import click

from experiments.cli.commands import Option, typed
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
GROUPS = ("models", "search", "sampling", "voice", "emotion", "ray")
"""Options that a recipe can set; all others belong to one call."""
SELECTIONS = """\
how a selection is written (--select), by the names of the metrics:
  "wer<=0,sim"                    among those with WER 0 the most similar; if there is none, the lowest WER
  "sim" or "wer,sim"              the best by one metric; where that is equal, by the next
  "weighted(sim=1,wer=2)"         the largest sum, each metric in its own units and in its better direction
  "ranks(sim,wer)"                the best mean of the places by each metric, which needs no units;
                                  with weights: "ranks(sim=2,wer=1)"
  "pareto(sim,wer)"               those that no other one beats by all metrics, the even compromise first
  "consensus(wer,sim)"            nearest to all other candidates, by transcripts, voices or lengths
  "wer<=0.02,sim>=0.8,ranks(...)" bounds, with any of these behind them
  "keep(sim=0.25),wer<=0,sim"     in searches, before any of these: the best quarter by a cheap metric is what
                                  others are asked about, then the next quarter if none keeps the bounds
Candidates that could not be judged come last; of equal ones the likelier, then the earlier one is taken.
"""


def search() -> Decorator[Any]:
    """How and with what to search, as `search: SearchOptions`, and the name of its `recipe`."""
    recipe = option(
        "--recipe NAME|YAML",
        TextType(shipped),
        "options from a file, by their long names; those given here win (shipped: see below)",
        group="search",
        is_eager=True,
        callback=_take_recipe,
    )
    options = [*_search(), *model_options(), *sampling_options(), *ray_parameters()]
    return lambda function: recipe(bundled("search", _search_options, options)(function))


def _search() -> list[Decorator[Any]]:
    search, text = partial(option, group="search"), TextType()
    return [
        search(
            "--strategy NAME[?OPTION=VALUE&...]",
            SpecType(explained),
            "how candidates are made and pruned (default best-of-n): see below",
            default="best-of-n",
        ),
        search(
            "-n N",
            Whole(1, MOST_CANDIDATES),
            "candidates, or continuations of each beam (default: the strategy's)",
        ),
        search("--select RULE", text, 'which candidate is the best, such as "wer<=0,sim": see below'),
        search(
            "--budget LIMIT=N,...",
            SpecType(),
            "of each text: candidates=, tokens=, seconds=, flops=; at a limit the best until then wins",
        ),
        verifier(
            "searches; repeatable; a kind alone has the preset's source (default: the preset's)",
            group="search",
        ),
        search(
            "--judge SPEC",
            TextType(kinds),
            "held out: reported, not searched with; repeatable (default: the preset's)",
            into="judges",
            multiple=True,
        ),
        search("--no-judge", None, "leave out the preset's held-out judge"),
        search(
            "--max-seconds S",
            Decimal(0, LONGEST_SECONDS, above=True),
            f"cut candidates off there (default {MAX_SECONDS:g})",
            default=MAX_SECONDS,
        ),
    ]


def model_options() -> list[Decorator[Any]]:
    models, source = partial(option, group="models"), TextType()
    memory = "for keys and values; candidates that do not fit wait for others (default: most of what is free)"
    return [
        models(
            "--preset NAME",
            TextType(lambda: PRESETS),
            "see `llasa-search models` (default nano)",
            default="nano",
        ),
        models("--generator SOURCE", source, "a folder or hub id instead of the preset's"),
        models("--codec SOURCE", source, "a folder or hub id instead of the preset's"),
        device(group="models"),
        models("--memory GIB", Decimal(0, MOST_MEMORY / 2**30, above=True), memory),
    ]


def sampling_options() -> list[Decorator[Any]]:
    sampling = partial(option, group="sampling")
    return [
        sampling("--temperature T", Decimal(0, 100), "default: the preset's"),
        sampling("--top-p P", Decimal(0, 1, above=True), "default: the preset's"),
        sampling(
            "--top-k K", Whole(0, MOST), "only the K likeliest codes; 0: all (default: that of the preset)"
        ),
        sampling("--min-p P", Decimal(0, 1), "none below this share of the likeliest (default: off)"),
        sampling(
            "--repetition-penalty X",
            Decimal(0, 100, above=True),
            "on codes that the candidate already has (default 1: off)",
        ),
    ]


def ray_parameters() -> list[Decorator[Any]]:
    """The options of Ray; `ray_options` takes their values."""
    ray, count = partial(option, group="ray"), Whole(0, ActorsType.most)
    timeout = f"an actor that has not answered for so long is started anew (default {RAY.timeout:g})"
    return [
        ray(
            "--ray N",
            ActorsType(),
            "models in so many processes; auto: one for each GPU, or for every four cores",
        ),
        ray(
            "--ray-address HOST:PORT",
            TextType(),
            "of a running cluster, or auto (default: one on this machine)",
        ),
        ray("--ray-gpus SHARE", Decimal(0, 1024, above=True), "GPUs of an actor, such as 0.5 (default 1)"),
        ray("--ray-threads N", Whole(1, 1024), "CPU threads of an actor"),
        ray(
            "--ray-verifiers N",
            count,
            "so many actors more run codec and verifiers (default: all actors run all)",
        ),
        ray("--ray-timeout S", Decimal(0, MOST, above=True), timeout),
        ray(
            "--ray-restarts N", count, f"deaths in a row until an actor is given up (default {RAY.restarts})"
        ),
    ]


def explained() -> Iterable[str]:
    """The names of the strategies."""
    return (line.partition(":")[0] for line in explain().splitlines() if not line.startswith(" "))


def search_notes() -> str:
    """What the strategies and recipes are, and how a selection is written."""
    recipes = "\n".join(f"  {name:<21}{line}" for name, line in shipped().items())
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
    """The strategy with the options that stand `beside` it (-n, --select). Typed values replace the recipe's.

    Raises UserError if two values contradict each other and both are typed, or both are in the recipe.
    """
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
    """Makes the options of a recipe the defaults of the command. Raises UserError for an unknown one."""
    if name is None:
        return None
    known = {
        opt.lstrip("-").replace("-", "_"): own
        for own in ctx.command.params
        if isinstance(own, Option) and own.group in GROUPS and own.name != "recipe"
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
