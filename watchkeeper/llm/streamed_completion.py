"""Put together a completion from the chunks of a stream (pure)."""

from __future__ import annotations

import json

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.delta_merge import DeltaMerger, plain
from watchkeeper.llm.streamed_calls import StreamedCalls


class StreamedCompletion:
    """The completion so far. Its body is read by ``read_completion``, as that of a host that does not stream.

    Only the first choice is kept.
    """

    def __init__(self) -> None:
        self.error: object = None
        """What the host sent instead of the rest of the completion; None unless it reported an error."""
        self._merger = DeltaMerger()
        self._labels: JsonObject = {}
        self._message: JsonObject = {}
        self._calls = StreamedCalls(self._merger)
        self._whole_message: JsonObject = {}
        self._usage: JsonObject = {}
        self._choice: object = None
        self._finish_reason = ""
        self._went_on = False

    @property
    def characters(self) -> int:
        """Characters of the message so far."""
        return self._merger.characters

    @property
    def size(self) -> int:
        """How much memory the message takes, in characters."""
        return self._merger.size

    @property
    def is_finished(self) -> bool:
        """Whether the host gave a finish_reason and nothing of the message followed. Some give one in each chunk."""
        return bool(self._finish_reason) and not self._went_on

    def add(self, chunk: object) -> None:
        """Add the next chunk.

        Raises:
            ValueError: It is neither an object nor an error.
        """
        if (error := _error(chunk)) is not None:
            self.error = error
            return
        if not isinstance(chunk, dict):
            raise ValueError(f"a chunk is not an object: {chunk!r:.100}")
        for key in ("id", "model"):
            if isinstance(chunk.get(key), str):
                self._labels.setdefault(key, chunk[key])
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._add_choice(choice)
        groq = chunk.get("x_groq")
        for report in (groq.get("usage") if isinstance(groq, dict) else None, chunk.get("usage")):
            self._add_usage(report)

    def body(self) -> bytes:
        """Return the completion as the body of a response."""
        if self.error is not None:
            return _encode(self.error)
        message = {key: plain(value) for key, value in self._message.items()}
        if calls := self._calls.messages():
            message["tool_calls"] = calls
        if not any(value for key, value in message.items() if key != "role"):
            message = self._whole_message or message
        choice = {"index": 0, "message": message, "finish_reason": self._finish_reason or None}
        choices = [] if self._choice is None else [choice]
        return _encode({**self._labels, "object": "chat.completion", "choices": choices, "usage": self._usage or None})

    def _add_choice(self, choice: JsonObject) -> None:
        index = choice.get("index") or 0
        if self._choice is None:
            self._choice = index
        if index != self._choice:
            return
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, dict):
            self._went_on |= bool(self._finish_reason) and any(delta[key] for key in delta.keys() - {"role"})
            self._add_delta(delta)
        if isinstance(message, dict):  # the whole message, at the end or in each chunk
            self._whole_message = message
        if isinstance(choice.get("finish_reason"), str):
            self._finish_reason = choice["finish_reason"] or self._finish_reason
        self._add_usage(choice.get("usage"))  # Moonshot

    def _add_delta(self, delta: JsonObject) -> None:
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else [calls]:
            if isinstance(call, dict):
                self._calls.add(call)
        self._merger.merge(self._message, {key: value for key, value in delta.items() if key != "tool_calls"})

    def _add_usage(self, report: object) -> None:
        """Add a report of usage. Some hosts send one in each chunk, with zeros or null for an unknown count."""
        if isinstance(report, dict):
            self._usage |= {key: value for key, value in report.items() if value or key not in self._usage}


def _error(chunk: object) -> object:
    """Return the error that a chunk reports; None if it reports none."""
    match chunk:
        case {"error": error} if error:
            return chunk
        case {"choices": [{"error": error}, *_]} if error:
            return {"error": error}
        case {"choices": _}:
            return None
        case {"errors": _} | {"detail": _} | {"code": _} | {"object": "error"} | [{"error": _}, *_]:
            return chunk
        case _:
            return None


def _encode(value: object) -> bytes:
    """Encode JSON. A host may send the two halves of a surrogate pair in different chunks: escaped, they are joined."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()
