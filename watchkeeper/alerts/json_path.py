"""Paths into a JSON body, as in settings: ``data.items.0.name``, or the JSON Pointer ``/data/items/0/name``."""

from __future__ import annotations

from collections.abc import Sequence
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


def _at(value: object, path: str) -> object:
    for part in _parts(path):
        if isinstance(value, dict):
            value = value.get(part)
        elif (
            isinstance(value, list) and part.isascii() and part.isdigit() and len(part) < 10 and int(part) < len(value)
        ):
            value = value[int(part)]
        else:
            return None
    return value


def _parts(path: str) -> list[str]:
    if path.startswith("/"):
        return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    return path.split(".")
