"""The options of commands whose models may run in actors of Ray."""

from __future__ import annotations

import argparse
from typing import Any

from llasa_core.errors import UserError
from search.backends.ray.options import RayOptions

DEFAULTS = RayOptions()


def add_ray(parser: argparse.ArgumentParser) -> None:
    """Adds --ray and what goes with it."""
    group = parser.add_argument_group("ray", "the models in several processes, on one machine or a cluster")
    group.add_argument(
        "--ray",
        metavar="N",
        help='run the models in so many actors of Ray; "auto": one for each GPU, or for every four cores',
    )
    group.add_argument(
        "--ray-address",
        metavar="HOST:PORT",
        help='of a running cluster, or "auto" (default: one is started on this machine)',
    )
    group.add_argument(
        "--ray-gpus", type=float, metavar="SHARE", help="GPUs of an actor, such as 0.5 (default 1)"
    )
    group.add_argument("--ray-threads", type=int, metavar="N", help="CPU threads of an actor")
    group.add_argument(
        "--ray-verifiers",
        type=int,
        metavar="N",
        help="so many actors more run codec and verifiers, the others the generator alone (default: all run all)",
    )
    group.add_argument(
        "--ray-timeout",
        type=float,
        metavar="S",
        help=f"an actor that has not answered for so long is started anew (default {DEFAULTS.timeout:g})",
    )
    group.add_argument(
        "--ray-restarts",
        type=int,
        metavar="N",
        help=f"deaths in a row after which an actor is given up (default {DEFAULTS.restarts})",
    )


def ray_of(arguments: argparse.Namespace) -> RayOptions | None:
    """The options, or None without --ray. Raises UserError for numbers that cannot be, and options without --ray."""
    names = ("address", "gpus", "threads", "verifiers", "timeout", "restarts")
    given: dict[str, Any] = {name: getattr(arguments, f"ray_{name}", None) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    actors = getattr(arguments, "ray", None)
    if actors is None:
        if given:
            raise UserError(f"--ray-{next(iter(given))} without --ray: add --ray N or --ray auto")
        return None
    if actors != "auto" and not (str(actors).isdecimal() and int(actors) > 0):
        raise UserError(f"--ray {actors}: give a number of actors, or auto")
    if "verifiers" in given:
        given["verifier_actors"] = given.pop("verifiers")
    return RayOptions(actors=0 if actors == "auto" else int(actors), **given)
