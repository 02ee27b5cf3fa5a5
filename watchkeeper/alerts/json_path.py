"""Places in a JSON body, as settings name them: ``data.items.0.name``, or ``/data/items/0/name`` as JSON Pointer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

from watchkeeper.config.alert_source import Names


def _places(paths: list[str]) -> list[str]:
    if not all(path.strip("./") for path in paths):
        raise ValueError("an empty path leads nowhere")
    return paths


Paths = Annotated[Names, AfterValidator(_places)]


def first_value(body: object, paths: Sequence[str]) -> object:
    """Return what stands at the first of these places that holds anything but null and the empty text; else None."""
    for path in paths:
        found = _at(body, path)
        if found is not None and found != "":
            return found
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
