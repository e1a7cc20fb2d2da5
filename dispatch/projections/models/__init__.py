"""The read models: every module here is one, found by being here."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from dispatch.projections.projection import Projection


@cache
def all_projections() -> tuple[Projection, ...]:
    """Every read model, by name."""
    return tuple(import_module(f"{__name__}.{module.name}").PROJECTION for module in iter_modules(__path__))
