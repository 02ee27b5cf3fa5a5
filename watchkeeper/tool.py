"""Public API for writing a tool.

Import it as ``from watchkeeper.tool import Arguments, Service, ToolContext, tool``.
"""

from watchkeeper.tool_calling.definition import (
    LARGEST_RESULT_BYTES,
    RESULT_BYTES,
    SMALLEST_RESULT_BYTES,
    Arguments,
    Service,
    Team,
    Tool,
    ToolCall,
    ToolContext,
    ToolDefinitionError,
    ToolError,
    ToolUnavailable,
    catalogue,
    catalogue_digest,
    discover,
    effect_key,
    tool,
    wire,
)

__all__ = [
    "LARGEST_RESULT_BYTES",
    "RESULT_BYTES",
    "SMALLEST_RESULT_BYTES",
    "Arguments",
    "Service",
    "Team",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolDefinitionError",
    "ToolError",
    "ToolUnavailable",
    "catalogue",
    "catalogue_digest",
    "discover",
    "effect_key",
    "tool",
    "wire",
]
