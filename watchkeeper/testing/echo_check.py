"""Checks that a client sends the assistant messages back unchanged."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import Any

from watchkeeper.contracts import JsonObject
from watchkeeper.testing.request_refused import RequestRefused

_RESPONSE_ONLY = {"refusal", "annotations", "audio", "function_call"}
"""Fields that hosts put into responses and refuse in requests."""


class SentMessages:
    """The assistant messages that a server has sent, found by the ids of their calls and their content."""

    def __init__(self) -> None:
        self._sent: dict[Hashable, list[JsonObject]] = defaultdict(list)

    def remember(self, message: JsonObject, *, exact_echo: bool) -> None:
        """Keep a message that is being sent. ``exact_echo``: whether a later request must hold it unchanged."""
        known = self._sent[_key(message)]
        if exact_echo and message not in known:
            known.append(message)

    def knows(self, message: JsonObject) -> bool:
        """Return whether this may be the echo of a message that was sent."""
        return _key(message) in self._sent

    def check(self, messages: list[JsonObject]) -> None:
        """Raise RequestRefused if the echo of a sent message has lost or changed a field."""
        for n, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            candidates = [list(_differences(sent, message)) for sent in self._sent.get(_key(message), ())]
            if differences := min(candidates, key=len, default=[]):
                _refuse(differences[0], n)


def _key(message: JsonObject) -> Hashable:
    calls = message.get("tool_calls")
    ids = [call.get("id") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return json.dumps([ids, message.get("content")])


def _differences(sent: JsonObject, echo: JsonObject) -> Iterator[tuple[str, bool]]:
    """Name the fields that an echo lacks (True) or holds changed (False). A null field is optional."""
    for name, value in sent.items():
        if name in _RESPONSE_ONLY or name == "tool_calls" or value is None:
            continue
        if echo.get(name) != value:
            yield name, name not in echo
    for i, call in enumerate(sent.get("tool_calls") or ()):
        yield from _call_differences(f"tool_calls[{i}]", call, echo["tool_calls"][i])


def _call_differences(where: str, sent: Any, echo: JsonObject) -> Iterator[tuple[str, bool]]:
    for name, value in sent.items():
        if name == "function" and isinstance(value, dict):
            yield from _call_differences(f"{where}.function", value, echo.get("function", {}))
        elif value is not None and echo.get(name) != value:
            yield f"{where}.{name}", name not in echo


def _refuse(difference: tuple[str, bool], n: int) -> None:
    name, missing = difference
    where = f"messages[{n}].{name}"
    if name == "reasoning_content" and missing:
        # Moonshot's own text.
        text = f"thinking is enabled but reasoning_content is missing in assistant tool call message at index {n}"
        raise RequestRefused(text, where)
    problem = "is missing" if missing else "is not what was sent"
    raise RequestRefused(f"'{where}' {problem} in the echo of a reply", where)
