"""How pages are made of templates."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


def page_environment(*packages: str) -> Environment:
    """Templates of packages, and behind them those that all pages share. What a user wrote is escaped, and a
    name that a template does not get is an error."""
    return Environment(
        loader=ChoiceLoader(
            [PackageLoader(name, "templates") for name in (*packages, "experiments.report_page")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
