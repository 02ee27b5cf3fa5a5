"""How many tokens a host counted for its latest prompts, to estimate the next one (pure)."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from watchkeeper.llm.usage import BYTES_PER_TOKEN

KEPT = 1_000
"""Conversations. Each takes some hundred bytes."""


class PromptCount(NamedTuple):
    """The size of a prompt."""

    size: int
    """Bytes."""
    tokens: int
    """As the host counted."""


class PromptCounts:
    """The sizes of the latest prompt of each conversation, by the digest of its messages."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, PromptCount] = OrderedDict()

    def note(self, digest: str, count: PromptCount) -> None:
        """Keep the size of a prompt."""
        self._counts[digest] = count
        self._counts.move_to_end(digest)
        if len(self._counts) > KEPT:
            self._counts.popitem(last=False)

    def of(self, digest: str) -> PromptCount | None:
        """Return the size of a prompt that was counted."""
        return self._counts.get(digest)

    def estimate(self, base: str, size: int) -> int:
        """Return about how many tokens a prompt of this size has, which extends a conversation."""
        known = self._counts.get(base, PromptCount(0, 0))
        return max(0, known.tokens + (size - known.size) // BYTES_PER_TOKEN)
