"""Finds what workflow code must not contain, by reading its source.

Only what is known to be harmless may be imported: a list of what is forbidden would never be complete.
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
"""Modules without a clock, randomness, I/O or state (``functools`` caches)."""

WORKFLOW = LIBRARY | {"asyncio", "builtins", "temporalio.exceptions"}
PASSED_THROUGH = LIBRARY | {"pydantic"}

PARTS = {
    "asyncio": {"CancelledError", "Future", "Task", "create_task", "gather", "shield"},
    "builtins": {"TimeoutError"},
    "datetime": {"timedelta"},
    "temporalio": {"workflow"},
    "workflow.unsafe": {"imports_passed_through"},
}
"""The allowed names of these modules. The others read a clock or complete in an order that no history records."""

WORLDLY = {"open", "print", "input", "breakpoint", "eval", "exec", "compile", "__import__", "globals", "vars"}
BY_ADDRESS = {"id", "hash"}

MUTABLE = {"dict", "list", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"}
UNORDERED = {"set", "frozenset"}
ORDERLESS = {"sorted", "len", "any", "all", "min", "max"}


@dataclass(frozen=True)
class Source:
    """A module to check."""

    text: str
    allowed: set[str]
    """Modules it may import."""
    is_workflow: bool

    def impurities(self) -> list[str]:
        """Every line that is not allowed, and why."""
        tree = ast.parse(self.text)
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        found = [(node, why) for node in ast.walk(tree) for why in self._wrong(node, parents)]
        return [f"line {getattr(node, 'lineno', 0)}: {why}" for node, why in found]

    def _wrong(self, node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[str]:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield from self._imported(node, parents)
            case ast.Attribute() if (whole := ast.unparse(node.value)) in PARTS and node.attr not in PARTS[whole]:
                yield f"{whole}.{node.attr}"
            case ast.Call(func=ast.Name(id=name)) if name in WORLDLY:
                yield f"{name}() reaches outside"
            case ast.Call(func=ast.Name(id=name)) if name in BY_ADDRESS:
                yield f"{name}() differs from process to process"
            case ast.Global():
                yield "a global outlives the run"
            case ast.Assign() | ast.AnnAssign() if self.is_workflow and _is_shared(node, parents) and _is_mutable(node):
                yield "a mutable value that all runs of a worker share"
            case _ if _is_unordered(node) and not _is_order_lost(node, parents):
                yield "the order of a set differs from process to process"

    def _imported(self, node: ast.Import | ast.ImportFrom, parents: dict[ast.AST, ast.AST]) -> Iterator[str]:
        around = list(_around(node, parents))
        if any(isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) for outer in around):
            yield "an import while a run is running"
        if isinstance(node, ast.Import):
            modules = {alias.name: {alias.asname or ""} for alias in node.names}
        else:
            modules = {node.module or ".": {alias.name for alias in node.names}}
        passed = any(isinstance(outer, ast.With) and "imports_passed_through" in ast.unparse(outer) for outer in around)
        for module, names in modules.items():
            yield from self._named(module, names, passed=passed)

    def _named(self, module: str, names: set[str], *, passed: bool) -> Iterator[str]:
        home = module.partition(".")[0]
        if home in ("watchkeeper", "activities") and self.is_workflow and not passed:
            yield f"{module} must be passed through the sandbox"
        if home == "activities":
            yield from (
                f"{module}.{name} is no reference to an activity" for name in names if not name.endswith("Activities")
            )
        elif home not in ("watchkeeper", "workflows"):
            known = PARTS.get(module, set()) if any(names) else set()
            yield from (f"{module}.{name}" for name in sorted(names - known) if known or module not in self.allowed)


def workflow(text: str) -> Source:
    """A module of ``workflows/``."""
    return Source(text, WORKFLOW, is_workflow=True)


def passed_through(text: str) -> Source:
    """A module of the library that workflow code uses."""
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


def _around(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
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
    """Return whether the order has no effect: the set is only tested for members, or it is sorted."""
    match parents[node]:
        case ast.Compare(ops=ops):
            return all(isinstance(op, ast.In | ast.NotIn) for op in ops)
        case ast.Call(func=ast.Name(id=name)):
            return name in ORDERLESS
        case _:
            return False
