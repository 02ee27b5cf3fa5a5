"""All contenders on Temporal, the baselines first. A process imports only the ones it runs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from bench.contender import Contender


class _Entry(NamedTuple):
    module: str
    constant: str
    needs: str | None = None
    """Package of the extra `bench`."""


_ENTRIES = {
    "floor": _Entry("floor_loop", "FLOOR"),
    "naive": _Entry("naive_loop", "NAIVE"),
    "pydantic-ai": _Entry("pydantic_ai_loop", "PYDANTIC_AI", "pydantic_ai"),
    "openai-agents": _Entry("openai_agents_loop", "OPENAI_AGENTS", "agents"),
    "ours": _Entry("watchkeeper_loop", "OURS"),
}
PEERS = tuple(name for name, entry in _ENTRIES.items() if entry.needs is not None)
"""Other frameworks with durable runs on Temporal."""


def missing() -> list[str]:
    """Return the names of the contenders whose packages are not installed."""
    return [name for name, entry in _ENTRIES.items() if entry.needs is not None and find_spec(entry.needs) is None]


def load(name: str) -> Contender:
    """Import one contender. Raises ImportError if its packages are not installed."""
    entry = _ENTRIES[name]
    contender = getattr(import_module(f"bench.{entry.module}"), entry.constant)
    assert isinstance(contender, Contender)
    return contender


def contenders() -> Mapping[str, Contender]:
    """Import all contenders whose packages are installed."""
    return {name: load(name) for name in _ENTRIES if name not in missing()}
