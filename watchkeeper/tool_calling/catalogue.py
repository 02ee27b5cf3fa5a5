"""The catalogue: the tools that a worker found, in the form that the model receives."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Digest, JsonObject, ToolSpec, digest_of
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.tool_calling.definition import Tool, ToolDefinitionError


def discover_tools(package: str | ModuleType = "activities.tools") -> dict[str, Tool[Any]]:
    """Return the tools of a package by name, sorted: every ``Tool`` at the top level of its modules.

    Modules whose names start with an underscore are ignored. Raises ToolDefinitionError if a module cannot be imported
    or has no tool, or if two tools have the same name.
    """
    home = importlib.import_module(package) if isinstance(package, str) else package
    found: dict[str, Tool[Any]] = {}
    for file in sorted(info.name for info in pkgutil.iter_modules(home.__path__) if not info.name.startswith("_")):
        tools = _tools_of(f"{home.__name__}.{file}")
        if not tools:
            raise ToolDefinitionError(f"{file}.py has no tool; mark its function @tool, or name the file _{file}.py")
        for tool in tools:
            if tool.name in found:
                raise ToolDefinitionError(f"two tools are named {tool.name!r}; rename the one in {file}.py")
            found[tool.name] = tool
    return dict(sorted(found.items()))


def _tools_of(module_name: str) -> list[Tool[Any]]:
    try:
        module = importlib.import_module(module_name)
    except (ImportError, SyntaxError) as error:
        raise ToolDefinitionError(f"{module_name} cannot be imported: {error}") from error
    tools = [value for value in vars(module).values() if isinstance(value, Tool)]
    return [tool for tool in tools if tool.function.__module__ == module_name]


def encode_tools(tools: Sequence[ToolSpec]) -> bytes:
    """Encode tools as they appear in a request. Equal tools give equal bytes."""
    functions: list[JsonObject] = [
        {"name": spec.name, "description": spec.description, "parameters": spec.parameters} for spec in tools
    ]
    return canonical_json([{"type": "function", "function": function} for function in functions])


def catalogue_digest(tools: Sequence[ToolSpec]) -> Digest:
    """Return the digest of a catalogue, as the model receives it."""
    return digest_of(encode_tools(tools))


def build_catalogue(tools: Mapping[str, Tool[Any]], settings: Settings) -> list[ToolSpec]:
    """Return the specifications of all tools for these settings, sorted by name. Raises ToolDefinitionError."""
    if unknown := sorted(set(settings.approval.tools) - tools.keys()):
        # With a misspelled name, a tool that needs approval would run without it.
        raise ToolDefinitionError(
            f"approval.tools names unknown tools: {', '.join(unknown)}; available: {', '.join(tools)}"
        )
    return [tools[name].spec(settings) for name in sorted(tools)]
