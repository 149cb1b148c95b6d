"""The grid of a sweep: a YAML file that names presets, strategies, widths and all else that is varied.

Every combination is a cell. How wide a strategy is comes from `n`: a search that is N wide has N complete
candidates, whatever makes them (WIDTHS). A spec that says so itself is one cell as it stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from experiments.config import SearchOptions, Settings, Wanted
from experiments.documents import Schema, checked, read_yaml
from experiments.studies.nano_eval import NAME as NANO_EVAL
from llasa_core.errors import UserError, nearest
from llasa_core.paths import shown, user_path
from llasa_core.request import MAX_SEED
from search.backends.ray.options import RayOptions
from search.models import MAX_SECONDS
from search.strategies.base import own_fields
from search.strategies.registry import find, read

FOLDER = Path(__file__).with_name("grids")
MOST_CELLS = 4096
MOST_WIDE = 512
"""Candidates of one search: twice what the paper's largest has, and what one record can hold."""
BEAMS = ("beam", "dvts", "partial-prm")
"""Strategies that are beams times continuations wide."""
WIDTHS: dict[str, Callable[[int], dict[str, int]]] = {
    "best-of-n": lambda n: {"n": n, "wide": 1},
    "adaptive": lambda n: {"n": n, "wide": 1},
    "particle": lambda n: {"particles": n},
    "repair": lambda n: {"first": max(1, n // 2), "n": max(1, n // 8), "rounds": 4},
}
"""The options that make any other strategy so wide. wide=1: no text gets more candidates than n."""
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Wide = Annotated[int, Field(ge=1, le=MOST_WIDE)]
SEVERAL = Field(min_length=1, max_length=64)


FIELDS_HELP = """\
what a grid may say; only strategies has to be there, and a list of several values is varied:
  texts: nano-eval          100 shipped sentences, or a list that `run` reads, relative to the grid
  limit, language, voice, max_seconds    as the options of run
  presets: [nano]           seeds: [0, 1, 2]
  strategies: ["best-of-n?select=wer,sim", {name: beam, spec: "beam?prm=sim&select=sim"}]
  n: [1, 2, 4, 8, 16]       how wide; a strategy that says it itself (n=, particles=, first=) is one cell,
                            and {name: ..., spec: ..., n: [4, 16]} has widths of its own
  beams: [4]                of the strategies that have them; default: the largest divisor of n up to its root
  seconds: [1, 2]           until partial-prm runs free        steps: [25, 50]  tokens between prunings
  temperature, top_p, top_k: [...]       verifiers, judges: [...]
  budgets: [null, "tokens=1000"]         as --budget
  judge: winners            whom the judges hear: winners, all or none
  keep: none                winners: their audio in DIR/audio, by the id of the search
  published: [seed-tts-eval en]          published values that are printed beside ours
"""


def several(default: list[Any], *, least: int = 1) -> Any:
    """A list that is varied, with its default."""
    return Field(default=default, min_length=least, max_length=64)


class Varied(Schema):
    """Whose lists name each value once."""

    @field_validator("*", mode="after")
    @classmethod
    def _no_twin(cls, value: Any) -> Any:
        if isinstance(value, list):
            names = [getattr(one, "name", one) for one in value]
            for place, name in enumerate(names):
                if name in names[:place]:
                    raise ValueError(f"each once: {name!r} is there twice")
        return value


class Entry(Varied):
    """A strategy under a name of its own. n: its widths, in place of the grid's."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    spec: Text
    n: Annotated[list[Wide], SEVERAL] | None = None


class Grid(Varied):
    """What grid.yaml holds. Only `strategies` has to be there.

    texts: a list that `llasa-search run` reads, relative to the grid, or "nano-eval"; limit: its first texts
    alone. n: widths. beams: of the strategies that have them (default: the largest divisor of n that is not
    above its root). seconds: of partial PRM. steps: tokens between prunings. budgets: as `--budget`.
    judge: whom the judges hear. keep: the audio that is kept. published: lists of the published values that
    are printed beside ours. All else is as the option of `run` of that name.
    """

    texts: Text = NANO_EVAL
    limit: Annotated[int, Field(ge=1, le=10**6)] | None = None
    language: Text = "en"
    voice: Text | None = None
    seeds: list[Annotated[int, Field(ge=0, le=MAX_SEED)]] = several([0])
    presets: list[Text] = several(["nano"])
    strategies: Annotated[list[Text | Entry], SEVERAL]
    n: list[Wide] = several([1, 2, 4, 8, 16])
    beams: Annotated[list[Wide], SEVERAL] | None = None
    seconds: Annotated[list[Annotated[float, Field(ge=0, le=1000)]], SEVERAL] | None = None
    steps: Annotated[list[Annotated[int, Field(ge=1, le=2048)]], SEVERAL] | None = None
    temperature: Annotated[list[Annotated[float, Field(ge=0, le=100)]], SEVERAL] | None = None
    top_p: Annotated[list[Annotated[float, Field(gt=0, le=1)]], SEVERAL] | None = None
    top_k: Annotated[list[Annotated[int, Field(ge=0, le=10**6)]], SEVERAL] | None = None
    budgets: list[Text | None] = several([None])
    verifiers: list[Text] = several([], least=0)
    judges: list[Text] = several([], least=0)
    judge: Literal["winners", "all", "none"] = "winners"
    keep: Literal["winners", "none"] = "none"
    max_seconds: Annotated[float, Field(gt=0, le=1000)] = MAX_SECONDS
    published: list[Text] = several([], least=0)


@dataclass(frozen=True, eq=False)
class Cell:
    """One combination. series: its id without the width. n: complete candidates that it asks for."""

    id: str
    series: str
    preset: str
    strategy: str
    spec: str
    n: int
    beams: int
    settings: Settings


def shipped() -> dict[str, str]:
    """Names of the grids in this package, each with its first line."""
    return {
        path.stem: path.read_text("utf-8").splitlines()[0].lstrip("# ")
        for path in sorted(FOLDER.glob("*.yaml"))
    }


def grid_path(name: str) -> Path:
    """Where a grid is: a file, or a shipped one by its name. Raises UserError for an unknown name."""
    if "/" in name or name.endswith((".yaml", ".yml")):
        return user_path(name, "the grid")
    if name not in shipped():
        raise UserError(f"no grid {shown(name)!r} is shipped{nearest(name, shipped())}; or give a YAML file")
    return FOLDER / f"{name}.yaml"


def read_grid(path: Path) -> Grid:
    """Raises UserError for what is no grid: the place in it, what is wrong and what is wanted."""
    return checked(Grid, read_yaml(path, "the grid"), f"the grid {shown(path)}")


def changed(grid: Grid, *, preset: str | None = None, limit: int | None = None) -> Grid:
    """With what the command line says in place of the grid."""
    own: dict[str, Any] = {} if preset is None else {"presets": [preset]}
    return grid.model_copy(update=own | ({} if limit is None else {"limit": limit}))


def texts_path(grid: Grid, path: Path) -> Path | None:
    """Where the list is: relative to the grid, to the working folder if the grid is a shipped one; None for
    nano-eval."""
    if grid.texts == NANO_EVAL:
        return None
    found = user_path(grid.texts, "texts of the grid")
    return found if path.parent == FOLDER else path.parent / found


def cells(grid: Grid, example: Wanted, device: str = "cpu", ray: RayOptions | None = None) -> list[Cell]:
    """Every combination, in the order of the grid. example: what the first text is judged against.

    Raises UserError or VerifierError for an unknown strategy, option, preset, verifier or selection, for a
    strategy that no width of the grid fits, two cells that are the same, and more than MOST_CELLS.
    """
    found: dict[str, Cell] = {}
    none: list[None] = [None]
    sampling = product(grid.temperature or none, grid.top_p or none, grid.top_k or none)
    for preset, (temperature, top_p, top_k) in product(grid.presets, sampling):
        options = SearchOptions(
            preset=preset,
            verifiers=grid.verifiers,
            judges=grid.judges,
            no_judge=grid.judge == "none",
            device=device,
            max_seconds=grid.max_seconds,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            ray=ray,
        )
        part = _varied(grid, {"temperature": temperature, "top_p": top_p, "top_k": top_k})
        for entry in grid.strategies:
            before = len(found)
            for cell in _of_strategy(grid, entry, options, example, part):
                if cell.id in found:
                    raise UserError(f"two cells are {cell.id!r}: give one of the strategies another name")
                found[cell.id] = cell
                if len(found) > MOST_CELLS:
                    raise UserError(f"the grid has more than {MOST_CELLS} cells: vary less at once")
            if len(found) == before:
                spec, n = (entry.spec, entry.n or grid.n) if isinstance(entry, Entry) else (entry, grid.n)
                raise UserError(f"no n of the grid suits {spec}: its beams have to divide n, which is {n}")
    return list(found.values())


def _of_strategy(
    grid: Grid, entry: str | Entry, options: SearchOptions, example: Wanted, sampling: str
) -> Iterator[Cell]:
    spec = entry.spec if isinstance(entry, Entry) else entry
    if isinstance(entry, Entry) and entry.n is not None:
        grid = grid.model_copy(update={"n": entry.n})
    kind, given = read(spec)
    name = entry.name if isinstance(entry, Entry) else spec
    known = {one.name for one in own_fields(find(kind))}
    asked: dict[str, Sequence[float] | None] = {"seconds": grid.seconds, "step": grid.steps}
    axes: dict[str, Sequence[float | None]] = {
        option: (None,) if values is None or option not in known or option in given else values
        for option, values in asked.items()
    }
    for values, budget in product(product(*axes.values()), grid.budgets):
        varied = {option: value for option, value in zip(axes, values, strict=True) if value is not None}
        for n, beams, width in widths(kind, given, grid):
            whole = {**given, **width, **varied}
            line = f"{kind}?{'&'.join(f'{key}={value}' for key, value in whole.items())}" if whole else kind
            own = Settings.from_options(replace(options, strategy=line, budget=budget), example)
            own.check_emotion(example)
            several = {"beams": beams or None, **varied, "budget": budget}
            series = " ".join(filter(None, (options.preset, name, _varied(grid, several), sampling)))
            id = f"{series} n={n}" if width else series
            n = n or own.strategy.most_candidates
            yield Cell(id, series, options.preset, name, line, n, beams, own)


def widths(kind: str, given: Mapping[str, Any], grid: Grid) -> list[tuple[int, int, dict[str, Any]]]:
    """Of each width of the grid that suits a strategy: n, its beams (0: it has none), and the options that
    make it so wide. One width without options for a spec that says how wide it is, and a strategy of another
    package."""
    if kind in BEAMS:
        if "n" in given:
            return [(0, int(given.get("beams", 4)), {})]
        found = []
        for n in grid.n:
            for beams in [int(given["beams"])] if "beams" in given else grid.beams or [square(n)]:
                if beams and n % beams == 0:
                    found.append((n, beams, {"beams": beams, "n": n // beams}))
        return found
    own = WIDTHS.get(kind)
    if own is None or (set(own(1)) - {"wide", "rounds"}) & set(given):
        return [(0, 0, {})]
    return [(n, 0, {key: value for key, value in own(n).items() if key not in given}) for n in grid.n]


def square(n: int) -> int:
    """The largest divisor of n that is not above its root: 4 beams of 4 for 16, 4 of 8 for 32."""
    return next(beams for beams in range(math.isqrt(n), 0, -1) if n % beams == 0)


def _varied(grid: Grid, values: Mapping[str, Any]) -> str:
    """`temperature=0.8 top_p=0.9`: of what the grid gives several values."""
    axes: dict[str, Sequence[Any] | None] = {
        "beams": grid.beams,
        "seconds": grid.seconds,
        "step": grid.steps,
        "temperature": grid.temperature,
        "top_p": grid.top_p,
        "top_k": grid.top_k,
        "budget": grid.budgets,
    }
    return " ".join(
        f"{name}={value}" for name, value in values.items() if value is not None and len(axes[name] or ()) > 1
    )
