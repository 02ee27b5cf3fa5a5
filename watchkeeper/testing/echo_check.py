"""What the scripted model has said, so that it notices when its words come back changed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import Any

from watchkeeper.contracts import JsonObject
from watchkeeper.testing.errors import RequestRefused

_RESPONSE_ONLY = {"refusal", "annotations", "audio", "function_call"}
"""Fields that hosts put into responses and refuse in requests."""


class SentMessages:
    """The assistant messages of a server's life, known again by the ids of their calls and their content."""

    def __init__(self) -> None:
        self._sent: dict[Hashable, list[JsonObject]] = defaultdict(list)

    def remember(self, message: JsonObject, *, sound: bool) -> None:
        """Keep a message that is being sent; of one that is not sound, nobody can want an exact echo."""
        known = self._sent[_key(message)]
        if sound and message not in known:
            known.append(message)

    def knows(self, message: JsonObject) -> bool:
        """Tell whether this may be the echo of a message that was sent."""
        return _key(message) in self._sent

    def check(self, messages: list[JsonObject]) -> None:
        """Refuse a conversation in which a message that was sent has lost or changed a field."""
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


def _differences(sent: JsonObject, echoed: JsonObject) -> Iterator[tuple[str, bool]]:
    """Name the fields of a sent message that an echo lacks (True) or holds changed (False); null says nothing."""
    for name, value in sent.items():
        if name in _RESPONSE_ONLY or name == "tool_calls" or value is None:
            continue
        if echoed.get(name) != value:
            yield name, name not in echoed
    for i, call in enumerate(sent.get("tool_calls") or ()):
        yield from _call_differences(f"tool_calls[{i}]", call, echoed["tool_calls"][i])


def _call_differences(where: str, sent: Any, echoed: JsonObject) -> Iterator[tuple[str, bool]]:
    for name, value in sent.items():
        if name == "function" and isinstance(value, dict):
            yield from _call_differences(f"{where}.function", value, echoed.get("function", {}))
        elif value is not None and echoed.get(name) != value:
            yield f"{where}.{name}", name not in echoed


def _refuse(difference: tuple[str, bool], n: int) -> None:
    name, missing = difference
    where = f"messages[{n}].{name}"
    if name == "reasoning_content" and missing:
        said = f"thinking is enabled but reasoning_content is missing in assistant tool call message at index {n}"
        raise RequestRefused(said, where)
    raise RequestRefused(
        f"'{where}' {'is missing' if missing else 'is not what was sent'} in the echo of a reply", where
    )
