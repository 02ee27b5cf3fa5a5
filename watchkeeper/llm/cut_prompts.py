"""Notice by the tokens that a host counts that it has read only a part of a prompt, as Ollama does (pure).

A host that keeps only the end of a conversation drops the system prompt and the tools first.
"""

from __future__ import annotations

from collections.abc import Callable

from watchkeeper.llm.host_messages import parse_messages
from watchkeeper.llm.prompt_counts import PromptCount

SMALLEST_COUNT = 500
"""Tokens. No host has a window as small as this: a smaller count of a large prompt is no count at all."""

MOST_BYTES_PER_TOKEN = 10
"""No conversation has as few tokens as this: English and code have about four bytes per token."""

SUSPICIOUS_BYTES_PER_TOKEN = 5
"""Few tokens, and a cut if the count also has not grown with the conversation."""

GROWTH = 1_024
"""Bytes by which a conversation must have grown so that its count must have grown too."""

MOST_BYTES_PER_NEW_TOKEN = 32


def is_cut(now: PromptCount, before: PromptCount | None, visible_size: Callable[[], int]) -> bool:
    """Return whether a host has read only a part of a prompt.

    ``before``: the prompt that this one extends, if its host counted it. ``visible_size``: the bytes of the prompt
    without reasoning, which hosts may leave out of the prompt.
    """
    if now.tokens < SMALLEST_COUNT or now.size <= SUSPICIOUS_BYTES_PER_TOKEN * now.tokens:
        return False
    growth = now.size - before.size if before else 0
    stays = before is not None and growth >= GROWTH and now.tokens - before.tokens <= growth // MOST_BYTES_PER_NEW_TOKEN
    least = SUSPICIOUS_BYTES_PER_TOKEN if stays else MOST_BYTES_PER_TOKEN
    return now.size > least * now.tokens and visible_size() > least * now.tokens


def reasoning_size(joined: bytes) -> int:
    """Return the bytes of the reasoning in joined messages."""
    if b'"reasoning' not in joined:
        return 0
    fields = (item for message in parse_messages(joined) for item in message.items() if item[0].startswith("reasoning"))
    return sum(len(str(value).encode()) for _, value in fields)
