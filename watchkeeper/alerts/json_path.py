"""Paths into a JSON body, as in settings: ``data.items.0.name``, or the JSON Pointer ``/data/items/0/name``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator

from watchkeeper.config.alert_source import Names


def _not_empty(paths: list[str]) -> list[str]:
    if not all(path.strip("./") for path in paths):
        raise ValueError("a path must not be empty")
    return paths


Paths = Annotated[Names, AfterValidator(_not_empty)]


def first_value(body: object, paths: Sequence[str]) -> object:
    """Return the value at the first path that holds a value other than null and "". None if no path does."""
    for path in paths:
        value = _at(body, path)
        if value is not None and value != "":
            return value
    return None


def all_values(body: object, paths: Sequence[str]) -> list[object]:
    """Return the values other than null and "" at all paths."""
    return [value for path in paths if (value := _at(body, path)) is not None and value != ""]


def _at(value: object, path: str) -> object:
    for part in path_parts(path):
        if isinstance(value, dict):
            if (value := value.get(part)) is None:
                return None
        elif (
            isinstance(value, list) and part.isascii() and part.isdigit() and len(part) < 10 and int(part) < len(value)
        ):
            value = value[int(part)]
        else:
            return None
    return value


@lru_cache(maxsize=2_048)  # a few hundred paths are looked up in each alert
def path_parts(path: str) -> tuple[str, ...]:
    """Return the keys and positions of a path."""
    if path.startswith("/"):
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    return tuple(path.split("."))
