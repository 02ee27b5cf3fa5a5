"""Find code that is not allowed in workflows, by reading the source.

Imports are checked against a list of allowed modules, because a list of forbidden modules would never be complete.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LIBRARY = {
    *("__future__", "base64", "collections", "collections.abc", "contextlib", "dataclasses", "enum", "hashlib"),
    *("itertools", "json", "math", "re", "typing", "temporalio.common"),
}
"""Modules without a clock, randomness, input, output or state (``functools`` caches)."""

WORKFLOW = LIBRARY | {"asyncio", "builtins", "temporalio.exceptions"}
PASSED_THROUGH = LIBRARY | {"pydantic"}

PARTS = {
    "asyncio": {"CancelledError", "Future", "Task", "create_task", "gather", "shield"},
    "builtins": {"TimeoutError"},
    "datetime": {"timedelta"},
    "temporalio": {"workflow"},
    "workflow.unsafe": {"imports_passed_through"},
}
"""Allowed parts of other modules. The rest reads a clock or depends on an order that is not in the history."""

SIDE_EFFECTS = {"open", "print", "input", "breakpoint", "eval", "exec", "compile", "__import__", "globals", "vars"}
PROCESS_DEPENDENT = {"id", "hash"}

MUTABLE = {"dict", "list", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"}
UNORDERED = {"set", "frozenset"}
ORDER_INDEPENDENT = {"sorted", "len", "any", "all", "min", "max"}


@dataclass(frozen=True)
class Source:
    """The source of a module to check."""

    text: str
    allowed: set[str]
    """Modules that it may import."""
    is_workflow: bool

    def impurities(self) -> list[str]:
        """Return a message for each line that is not allowed."""
        tree = ast.parse(self.text)
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        found = [(node, reason) for node in ast.walk(tree) for reason in self._check_node(node, parents)]
        return [f"line {getattr(node, 'lineno', 0)}: {reason}" for node, reason in found]

    def _check_node(self, node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[str]:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield from self._check_import(node, parents)
            case ast.Attribute() if (target := ast.unparse(node.value)) in PARTS and node.attr not in PARTS[target]:
                yield f"{target}.{node.attr}"
            case ast.Call(func=ast.Name(id=name)) if name in SIDE_EFFECTS:
                yield f"{name}() reaches outside the workflow"
            case ast.Call(func=ast.Name(id=name)) if name in PROCESS_DEPENDENT:
                yield f"{name}() differs from process to process"
            case ast.Global():
                yield "a global variable outlives the run"
            case ast.Assign() | ast.AnnAssign() if self.is_workflow and _is_shared(node, parents) and _is_mutable(node):
                yield "a mutable value that all runs of a worker share"
            case _ if _is_unordered(node) and not _is_order_lost(node, parents):
                yield "the order of a set differs from process to process"

    def _check_import(self, node: ast.Import | ast.ImportFrom, parents: dict[ast.AST, ast.AST]) -> Iterator[str]:
        ancestors = list(_ancestors(node, parents))
        if any(isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) for outer in ancestors):
            yield "an import inside a function"
        if isinstance(node, ast.Import):
            modules = {alias.name: {alias.asname or ""} for alias in node.names}
        else:
            modules = {node.module or ".": {alias.name for alias in node.names}}
        passed = any(
            isinstance(outer, ast.With) and "imports_passed_through" in ast.unparse(outer) for outer in ancestors
        )
        for module, names in modules.items():
            yield from self._check_names(module, names, passed=passed)

    def _check_names(self, module: str, names: set[str], *, passed: bool) -> Iterator[str]:
        package = module.partition(".")[0]
        if package in ("watchkeeper", "activities") and self.is_workflow and not passed:
            yield f"{module} must be passed through the sandbox"
        if package == "activities":
            yield from (
                f"{module}.{name} is not a class of activities" for name in names if not name.endswith("Activities")
            )
        elif package not in ("watchkeeper", "workflows"):
            known = PARTS.get(module, set()) if any(names) else set()
            yield from (f"{module}.{name}" for name in sorted(names - known) if known or module not in self.allowed)


def workflow(text: str) -> Source:
    """Return the source of a module in ``workflows/``."""
    return Source(text, WORKFLOW, is_workflow=True)


def passed_through(text: str) -> Source:
    """Return the source of a library module that workflow code uses."""
    return Source(text, PASSED_THROUGH, is_workflow=False)


def library_files(text: str, root: Path) -> set[Path]:
    """Return the files of ``watchkeeper`` that a source imports, below the folder ``root``."""
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.module]
    names = {f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    names |= {str(node.module) for node in imports}
    found: set[Path] = set()
    for name in names:
        path = root.joinpath(*name.split("."))
        if name.startswith("watchkeeper."):
            found |= {file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()}
    return found


def _ancestors(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    while (outer := parents.get(node)) is not None:
        yield outer
        node = outer


def _is_shared(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    return isinstance(parents[node], ast.Module | ast.ClassDef)


def _is_mutable(node: ast.Assign | ast.AnnAssign) -> bool:
    match node.value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in MUTABLE
        case _:
            return False


def _is_unordered(node: ast.AST) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name), args=[_, *_]):
            return name in UNORDERED
        case ast.BinOp(left=ast.Call(func=ast.Attribute(attr="keys" | "items"))):
            return True
        case _:
            return False


def _is_order_lost(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Return whether the order has no effect: a membership test, or a function such as ``sorted``."""
    match parents[node]:
        case ast.Compare(ops=ops):
            return all(isinstance(op, ast.In | ast.NotIn) for op in ops)
        case ast.Call(func=ast.Name(id=name)):
            return name in ORDER_INDEPENDENT
        case _:
            return False
