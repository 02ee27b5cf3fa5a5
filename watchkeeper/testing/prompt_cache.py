"""A host's prompt cache: how many bytes of a request repeat the request before it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class RawRequest:
    """The parts of a request that make up its prompt, as the exact text that arrived."""

    joined: str
    """The inside of the ``messages`` array."""
    opening: str
    """The first two messages: the system prompt and the first user message."""
    before_last_reply: str | None
    """The messages before the last assistant message; None if there is no assistant message."""
    tools: str
    """The ``tools`` array; empty if the request has none."""

    @classmethod
    def of(cls, body: bytes) -> RawRequest:
        """Split a valid request into its parts, without encoding anything again."""
        members = dict(_members(body.decode()))
        text = members["messages"]
        spans = list(_elements(text))
        first, ends = spans[0][0], [end for _, end in spans]
        replies = [i for i, (start, end) in enumerate(spans) if json.loads(text[start:end])["role"] == "assistant"]
        return cls(
            joined=text[first : ends[-1]],
            opening=text[first : ends[:2][-1]],
            before_last_reply=text[first : ends[replies[-1] - 1]] if replies and replies[-1] else None,
            tools=members.get("tools", ""),
        )


class PromptCache:
    """The prompts that a host has received, and the requests that broke the prefix of their conversation."""

    def __init__(self) -> None:
        self._tools_of: dict[str, set[str]] = {}
        self._latest: dict[str, str] = {}
        self.violations: list[str] = []

    def add(self, request: RawRequest, *, continues: bool) -> int:
        """Add a request and return how many bytes of its prompt a cache could have served.

        ``continues``: its last assistant message came from this host. The messages before it must then be exactly
        the messages of an earlier request; the tools, if it offers any, must also be the same.
        """
        if continues and request.before_last_reply is not None:
            self._check(request, self._tools_of.get(_digest(request.before_last_reply)))
        self._tools_of.setdefault(_digest(request.joined), set()).add(request.tools)
        prompt, opening = request.tools + request.joined, _digest(request.opening)
        earlier = self._latest.get(opening, "")
        self._latest[opening] = prompt
        return len(prompt[: _common(prompt, earlier)].encode())

    def _check(self, request: RawRequest, tools: set[str] | None) -> None:
        description = f"the request that ends with …{request.joined[-200:]}"
        if tools is None:
            self.violations.append(
                f"{description} does not begin with the bytes of the request that its last reply answered"
            )
        elif request.tools and request.tools not in tools and tools != {""}:
            self.violations.append(f"{description} offers its tools in other bytes than the request before it")


def _members(text: str) -> Iterator[tuple[str, str]]:
    """Yield the keys of a JSON object with the text of their values."""
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, at = _DECODER.raw_decode(text, start)
        yield key, text[start:at]
        at = _next(text, at)


def _elements(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each element of a JSON array begins and ends."""
    at = _skip(text, 1)
    while text[at] != "]":
        start = at
        _, at = _DECODER.raw_decode(text, start)
        yield start, at
        at = _next(text, at)


def _next(text: str, at: int) -> int:
    """Return the position of the next element or of the closing bracket."""
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    assert blank is not None
    return blank.end()


def _common(one: str, other: str) -> int:
    """Return the length of the common prefix of two texts."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
