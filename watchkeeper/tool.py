"""Public API for writing a tool: ``from watchkeeper.tool import Arguments, Service, ToolContext, tool``."""

from watchkeeper.tool_calling.definition import (
    Arguments,
    Service,
    Team,
    Tool,
    ToolCall,
    ToolContext,
    ToolDefinitionError,
    ToolError,
    ToolUnavailable,
    tool,
)

__all__ = [
    "Arguments",
    "Service",
    "Team",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolDefinitionError",
    "ToolError",
    "ToolUnavailable",
    "tool",
]
