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
    *("html", "itertools", "json", "math", "re", "typing", "unicodedata"),
    "temporalio.common",
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

IMMUTABLE = {"timedelta", "TypeVar", "tuple", "frozenset", "field"}
"""Calls whose value never changes. A list of mutable ones would never be complete."""

MUTATORS = {
    *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove"),
    *("setdefault", "sort", "update"),
}
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
        shared = {"cls"} | {name for node in ast.walk(tree) if _is_global(node, parents) for name in _bound(node)}
        found = [(node, reason) for node in ast.walk(tree) for reason in self._check_node(node, parents)]
        found += [(node, "a shared value outlives the run") for node in ast.walk(tree) if _changed(node) & shared]
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
            case ast.Assign(value=value) | ast.AnnAssign(value=value) if (
                self.is_workflow and _is_shared(node, parents) and not _is_constant(value)
            ):
                yield "a mutable value that all runs of a worker share"
            case ast.arguments() if not all(map(_is_constant, (*node.defaults, *node.kw_defaults))):
                yield "a default that all calls share"
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
    """Return whether a statement belongs to a module or a class, and not to a function."""
    return node in parents and not any(
        isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) for outer in _ancestors(node, parents)
    )


def _is_global(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    return _is_shared(node, parents) and not any(isinstance(outer, ast.ClassDef) for outer in _ancestors(node, parents))


def _is_constant(node: ast.AST | None) -> bool:
    """Return whether an expression is a value that never changes, as far as the source shows."""
    match node:
        case None | ast.Constant() | ast.Name() | ast.Attribute() | ast.Subscript() | ast.Compare() | ast.Lambda():
            return True
        case ast.Tuple(elts=parts):
            return all(map(_is_constant, parts))
        case ast.BinOp(left=left, right=right):
            return _is_constant(left) and _is_constant(right)
        case ast.UnaryOp(operand=operand):
            return _is_constant(operand)
        case ast.Call(func=ast.Name(id=name)):
            return name in IMMUTABLE
        case ast.Call(func=ast.Attribute(value=ast.Constant())):
            return True
        case _:
            return False


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement binds."""
    match node:
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in names)
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case _:
            pass


def _changed(node: ast.AST) -> set[str]:
    """Return the names whose value a node changes: it sets a part of it, or calls a method that does."""
    match node:
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            return _root(node.value)
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in MUTATORS:
            return _root(value)
        case _:
            return set()


def _root(node: ast.AST) -> set[str]:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


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
