"""A tool call that was found in a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.argument_schema import fits


class WrittenCall(NamedTuple):
    """A call in a text, or a part of one."""

    start: int
    end: int
    name: str | None = None
    """None: it names no tool of this run."""
    arguments: str | None = None
    """The text of a JSON object; None: they cannot be read with certainty."""
    call_id: str | None = None
    only_alone: bool = False
    """It only counts in a text that holds nothing else, because it names no tool of this run."""

    def entry(self, tools: Mapping[str, JsonObject]) -> JsonObject | None:
        """Return it in the shape of ``tool_calls``; None if it cannot run."""
        if self.name is None or self.arguments is None or self.name not in tools:
            return None
        if not fits(json.loads(self.arguments), tools[self.name]):
            return None
        return {"id": self.call_id, "function": {"name": self.name, "arguments": self.arguments}}
