"""Names that a tool cannot have, because other activities use them."""

from __future__ import annotations

RESERVED = frozenset(
    {
        *("announce", "announce_approval", "ask", "brief", "carry", "compact", "deliver"),
        *("enter", "find_gone", "leave", "review", "unknown_tool"),
    }
)
"""Names of the activities that are not tools, and the name for a call to an unknown tool."""
