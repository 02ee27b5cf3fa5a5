"""The layout of the source: sizes, names and places, so that any engineer finds a behaviour by its name."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.support import package_map
from tests.support.paths import ROOT
from workflows.incident import IncidentWorkflow

PACKAGES = ("workflows", "activities", "watchkeeper")
SOURCES = [*sorted(chain.from_iterable((ROOT / package).rglob("*.py") for package in PACKAGES)), ROOT / "worker.py"]
TESTS = sorted((ROOT / "tests").rglob("*.py"))

MAX_FILE, MAX_CLASS, MAX_FUNCTION = 400, 350, 60

MAX_ROOT_MODULES = 12

SHARED_NAMES: dict[str, set[str]] = {
    "alerts": {"watchkeeper/contracts", "watchkeeper/intake"},
    "client": {"watchkeeper/llm", "watchkeeper/runs", "watchkeeper/slack", "watchkeeper/temporal"},
    "compaction": {"watchkeeper/llm", "workflows"},
    "conversation": {"watchkeeper/contracts", "watchkeeper/llm"},
    "pagerduty": {"watchkeeper/alerts/sources", "watchkeeper/demo"},
    "queue": {"activities", "watchkeeper/contracts", "workflows"},
    "runs": {"watchkeeper/contracts", "watchkeeper/intake"},
    "slack": {"activities/destinations", "watchkeeper/demo"},
    "tool_calls": {"watchkeeper/llm", "workflows"},
}
"""Base names that several packages use, because the field has one word for what each of them does about it."""

ING_NAMES = {"briefing", "paging"}
"""Nouns in -ing."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def definitions(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, lines and limit of each class and function of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1, MAX_CLASS
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1, MAX_FUNCTION


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=name_of)
def test_files_classes_and_functions_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_FILE
    assert [(name, lines) for name, lines, limit in definitions(path) if lines > limit] == []


def test_base_names_of_modules_are_unique() -> None:
    places: dict[str, set[str]] = {}
    for path in SOURCES:
        if path.name not in ("__init__.py", "__main__.py"):
            places.setdefault(path.stem, set()).add(name_of(path.parent))
    assert {name: folders for name, folders in places.items() if len(folders) > 1} == SHARED_NAMES


def test_names_of_public_classes_are_unique() -> None:
    classes = Counter(
        node.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in classes.items() if count > 1] == []


def test_the_root_of_the_library_holds_few_modules() -> None:
    assert len(list((ROOT / "watchkeeper").glob("[!_]*.py"))) <= MAX_ROOT_MODULES


def test_modules_are_named_by_nouns() -> None:
    names = {path.stem for path in SOURCES}
    assert {name for name in names if name.endswith("ing")} == ING_NAMES


def test_the_workflow_has_no_base_class() -> None:
    assert IncidentWorkflow.__mro__ == (IncidentWorkflow, object)


@pytest.mark.parametrize("path", sorted((ROOT / "activities").glob("[!_]*.py")), ids=name_of)
def test_an_activity_is_in_the_file_of_its_name(path: Path) -> None:
    decorated = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
        and any(ast.unparse(decorator).startswith("activity.defn") for decorator in node.decorator_list)
    ]
    queue = ["enter", "leave", "find_gone"]  # the three activities of the queue share a file
    assert decorated in ([], [path.stem], queue if path.stem == "queue" else [])


def test_tests_mirror_the_source() -> None:
    folders = {
        path.parent.relative_to(ROOT / "tests" / "unit") for path in (ROOT / "tests" / "unit").rglob("test_*.py")
    }
    assert [folder for folder in folders if not (ROOT / "watchkeeper" / folder).is_dir()] == []


def test_contributing_has_the_map_of_the_packages() -> None:
    assert package_map.PAGE.read_text() == package_map.page(), "run: python -m tests.support.package_map"
