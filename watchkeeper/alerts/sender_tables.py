"""Ready-made settings of senders of JSON: one table for each, ``senders/NAME.toml``, as in ``[sources.NAME]``.

A source with ``kind = "NAME"`` is a generic source with these settings. Its own settings replace them, key by key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_PACKAGE = "watchkeeper.alerts"
_FOLDER = "senders"
_SUFFIX = ".toml"


@cache
def sender_kinds() -> list[str]:
    """Return the names of all tables, sorted."""
    folder = files(_PACKAGE) / _FOLDER
    return sorted(file.name.removesuffix(_SUFFIX) for file in folder.iterdir() if file.name.endswith(_SUFFIX))


@cache
def sender_table(kind: str) -> Mapping[str, object]:
    """Return the settings of a sender."""
    return tomllib.loads((files(_PACKAGE) / _FOLDER / f"{kind}{_SUFFIX}").read_text(encoding="utf-8"))


def with_sender_table(table: Mapping[str, object]) -> Mapping[str, object]:
    """Add the ready-made settings of a source's kind, where it has any, to its own settings."""
    if table.get("kind") not in sender_kinds():
        return table
    known = sender_table(str(table["kind"]))
    fields, own = known.get("fields"), table.get("fields", {})
    merged = {**fields, **own} if isinstance(fields, Mapping) and isinstance(own, Mapping) else own
    return {**known, **table, "fields": merged}
