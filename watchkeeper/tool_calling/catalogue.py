"""The catalogue: the tools that a worker found, as the model sees them."""

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
    """Find the tools of a package: every ``Tool`` at the top of each of its modules, by name, sorted.

    Modules whose names begin with an underscore are left alone. Raises ToolDefinitionError when a file cannot be used,
    holds no tool, or two tools share a name.
    """
    home = importlib.import_module(package) if isinstance(package, str) else package
    found: dict[str, Tool[Any]] = {}
    for file in sorted(info.name for info in pkgutil.iter_modules(home.__path__) if not info.name.startswith("_")):
        own = _tools_of(f"{home.__name__}.{file}")
        if not own:
            raise ToolDefinitionError(f"{file}.py has no tool; mark its function @tool, or name the file _{file}.py")
        for made in own:
            if made.name in found:
                raise ToolDefinitionError(f"two tools are named {made.name!r}; rename the one in {file}.py")
            found[made.name] = made
    return dict(sorted(found.items()))


def _tools_of(module_name: str) -> list[Tool[Any]]:
    try:
        module = importlib.import_module(module_name)
    except (ImportError, SyntaxError) as error:
        raise ToolDefinitionError(f"{module_name} cannot be imported: {error}") from error
    made = [value for value in vars(module).values() if isinstance(value, Tool)]
    return [tool for tool in made if tool.function.__module__ == module_name]


def encode_tools(tools: Sequence[ToolSpec]) -> bytes:
    """Write the tools as a request carries them, byte for byte the same for equal tools."""
    functions: list[JsonObject] = [
        {"name": spec.name, "description": spec.description, "parameters": spec.parameters} for spec in tools
    ]
    return canonical_json([{"type": "function", "function": function} for function in functions])


def catalogue_digest(tools: Sequence[ToolSpec]) -> Digest:
    """Name a catalogue by what the model sees of it."""
    return digest_of(encode_tools(tools))


def build_catalogue(tools: Mapping[str, Tool[Any]], settings: Settings) -> list[ToolSpec]:
    """Describe all tools for one operator, sorted by name. Raises ToolDefinitionError."""
    if strangers := sorted(set(settings.approval.tools) - tools.keys()):
        # Left alone, a misspelled name would let a tool run that a person was to decide on.
        raise ToolDefinitionError(
            f"approval.tools names {', '.join(strangers)}, which no tool is called; there are: {', '.join(tools)}"
        )
    return [tools[name].spec(settings) for name in sorted(tools)]
