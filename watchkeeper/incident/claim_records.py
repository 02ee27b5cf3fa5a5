"""What a report may rely on: results, call records and messages (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from watchkeeper.contracts import CallRecord, Effect


@dataclass(frozen=True)
class Records:
    """What a report may rely on."""

    results: Mapping[str, str] = field(default_factory=dict)
    """The whole result as the model read it, by call key; only of calls that succeeded."""
    calls: Sequence[CallRecord] = ()
    """All calls of the run, in their order."""
    words: Sequence[str] = ()
    """The alerts, the messages from people and the other user messages that the model read."""
    tools: Mapping[str, Effect] = field(default_factory=dict)
    """Effect by tool name; a tool that is missing here counts as one that changes something."""
    pages: AbstractSet[str] = frozenset()
    """Names of the tools that wake a person."""
    services: Sequence[str] = ()
    """Services of the catalogue; empty: unknown."""

    def woke(self, call: CallRecord) -> bool:
        """Tell whether a call is one that wakes a person."""
        return call.page is not None or call.name in self.pages


def argument_values(arguments: str) -> dict[str, str]:
    """Return the texts and numbers of a call's arguments by name. Other text than a JSON object has none."""
    try:
        values = json.loads(arguments)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {name: str(value) for name, value in values.items() if isinstance(value, str | int | float)}
