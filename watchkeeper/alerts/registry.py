"""Find the alert sources: one per module of ``watchkeeper.alerts.sources``, loaded when it is used.

A kind without a module is a sender of JSON with a ready-made table: ``watchkeeper.alerts.sender_tables``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from watchkeeper.alerts import sources
from watchkeeper.alerts.sender_tables import sender_kinds, with_sender_table
from watchkeeper.alerts.source import Source
from watchkeeper.config.alert_source import SourceSection


def source_kinds() -> list[str]:
    """Return the names of the kinds of sources that have a module, sorted."""
    return sorted(info.name for info in pkgutil.iter_modules(sources.__path__) if _in_module(info.name))


def source_class(kind: str) -> type[Source[Any]]:
    """Return the source class of a kind. Raises ValueError."""
    if any(info.name == kind for info in pkgutil.iter_modules(sources.__path__)) and (source := _in_module(kind)):
        return source
    if kind in sender_kinds():
        return source_class("generic")
    raise ValueError(f"unknown kind of source; the kinds are: {_all_kinds()}")


def make_source(name: str, section: SourceSection) -> Source[Any]:
    """Create the source of a settings section."""
    return source_class(section.kind)(name, section)


def _in_module(name: str) -> type[Source[Any]] | None:
    """Return the source class of a module, such as ``StandardWebhooks`` of ``standard_webhooks``."""
    module = importlib.import_module(f"{sources.__name__}.{name}")
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Source)]
    return next((found for found in classes if found.__name__.lower() == name.replace("_", "")), None)


def _all_kinds() -> str:
    return ", ".join([*source_kinds(), *sender_kinds()])


def read_section(table: object) -> object:
    """Read a ``[sources.NAME]`` table of the settings as its kind defines it. Raises ValueError."""
    if not isinstance(table, Mapping):
        return table
    if not isinstance(kind := table.get("kind"), str):
        raise ValueError(f"has no kind; there are: {_all_kinds()}")
    try:
        return source_class(kind).Section.model_validate(with_sender_table(table))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
    problems = [(".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in errors]
    raise ValueError("; ".join(f"{where}: {problem}" if where else problem for where, problem in problems))
