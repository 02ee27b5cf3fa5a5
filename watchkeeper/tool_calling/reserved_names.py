"""Which activities are no tools."""

from __future__ import annotations

RESERVED = frozenset(
    {"announce", "ask", "brief", "carry", "compact", "deliver", "enter", "find_gone", "leave", "unknown_tool"}
)
"""Names that are not free for a tool: the activities beside the tools."""
