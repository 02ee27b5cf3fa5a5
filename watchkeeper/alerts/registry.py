"""The kinds of sources: each module of this package that holds one, found by its name and loaded when it is used."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from watchkeeper.alerts import sources
from watchkeeper.alerts.source import Source
from watchkeeper.config.alert_source import SourceSection


def source_kinds() -> list[str]:
    """Name all kinds, sorted."""
    return sorted(info.name for info in pkgutil.iter_modules(sources.__path__) if _in_module(info.name))


def source_class(kind: str) -> type[Source[Any]]:
    """Return the class of a kind. Raises ValueError."""
    known = any(info.name == kind for info in pkgutil.iter_modules(sources.__path__))
    if found := _in_module(kind) if known else None:
        return found
    raise ValueError(f"no such kind of source; there are: {', '.join(source_kinds())}")


def make_source(name: str, section: SourceSection) -> Source[Any]:
    """Make the source that a table of the settings describes."""
    return source_class(section.kind)(name, section)


def _in_module(name: str) -> type[Source[Any]] | None:
    """Find the source in ``standard_webhooks.py``: the class ``StandardWebhooks``."""
    module = importlib.import_module(f"{sources.__name__}.{name}")
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Source)]
    mine = [found for found in classes if found.__name__.lower() == name.replace("_", "") and found is not Source]
    return next(iter(mine), None)


def read_section(table: object) -> object:
    """Read a ``[sources.NAME]`` table of the settings as its kind defines it. Raises ValueError."""
    if not isinstance(table, Mapping):
        return table
    if not isinstance(kind := table.get("kind"), str):
        raise ValueError(f"has no kind; there are: {', '.join(source_kinds())}")
    try:
        return source_class(kind).Section.model_validate(table)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
    told = [(".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, ")) for fault in faults]
    raise ValueError("; ".join(f"{where}: {problem}" if where else problem for where, problem in told))
