"""Workflow code, and the library code that it uses, depends only on the history."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from tests.support.paths import ROOT
from tests.support.workflow_purity import library_files, passed_through, workflow

WORKFLOWS = sorted((ROOT / "workflows").glob("*.py"))


def library_files_used() -> list[Path]:
    """Return the files that workflow code imports, directly or indirectly."""
    found: set[Path] = set()
    pending = set(WORKFLOWS)
    while pending:
        pending = set().union(*(library_files(path.read_text(), ROOT) for path in pending)) - found
        found |= pending
    return sorted(found)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_code_is_pure(path: Path) -> None:
    assert workflow(path.read_text()).impurities() == []


@pytest.mark.parametrize("path", library_files_used(), ids=lambda path: str(path.relative_to(ROOT)))
def test_library_code_used_by_workflows_is_pure(path: Path) -> None:
    assert passed_through(path.read_text()).impurities() == []


def test_the_library_files_used_by_workflows_are_found() -> None:
    names = {str(path.relative_to(ROOT / "watchkeeper")) for path in library_files_used()}
    assert {"contracts/runs.py", "llm/conversation.py", "incident/budget.py", "text.py"} <= names
    assert {"temporal/activity_options.py", "temporal/search_attributes.py", "incident/report.py"} <= names
    assert names.isdisjoint({"config/settings.py", "tool.py", "temporal/client.py", "http/retry.py", "runs/client.py"})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import time", "time."),
        ("from time import monotonic", "time.monotonic"),
        ("import datetime", "datetime."),
        ("from datetime import datetime", "datetime.datetime"),
        ("from datetime import UTC, timedelta", "datetime.UTC"),
        ("import random", "random."),
        ("from uuid import uuid4", "uuid.uuid4"),
        ("import secrets", "secrets."),
        ("import os", "os."),
        ("from os import environ", "os.environ"),
        ("import socket", "socket."),
        ("import subprocess", "subprocess."),
        ("import threading", "threading."),
        ("from pathlib import Path", "pathlib.Path"),
        ("from functools import cache", "functools.cache"),
        ("import openai", "openai."),
        ("from temporalio import activity", "temporalio.activity"),
        ("from temporalio.client import Client", "temporalio.client.Client"),
        ("from asyncio import sleep", "asyncio.sleep"),
        ("from . import settling", "..settling"),
        ("asyncio.sleep(1)", "asyncio.sleep"),
        ("asyncio.wait([])", "asyncio.wait"),
        ("asyncio.as_completed([])", "asyncio.as_completed"),
        ("asyncio.to_thread(len, [])", "asyncio.to_thread"),
        ("asyncio.create_subprocess_exec('ls')", "asyncio.create_subprocess_exec"),
        ("asyncio.get_running_loop().time()", "asyncio.get_running_loop"),
        ("builtins.open('x')", "builtins.open"),
        ("open('x')", "open() reaches outside the workflow"),
        ("print('x')", "print() reaches outside the workflow"),
        ("input()", "input() reaches outside the workflow"),
        ("eval('x')", "eval() reaches outside the workflow"),
        ("__import__('os')", "__import__() reaches outside the workflow"),
        ("hash('x')", "hash() differs from process to process"),
        ("sorted([], key=lambda x: id(x))", "id() differs from process to process"),
        ("def f():\n    global x\n    x = 1", "a global variable outlives the run"),
        ("def f():\n    import json", "an import inside a function"),
        ("seen = []", "a mutable value that all runs of a worker share"),
        ("seen: dict[str, str] = {}", "a mutable value that all runs of a worker share"),
        ("seen = {x: x for x in 'ab'}", "a mutable value that all runs of a worker share"),
        ("class Calls:\n    seen = deque()", "a mutable value that all runs of a worker share"),
        ("seen = Calls()", "a mutable value that all runs of a worker share"),
        ("seen = collections.deque()", "a mutable value that all runs of a worker share"),
        ("seen = ([], 'a')", "a mutable value that all runs of a worker share"),
        ("if x:\n    seen = []", "a mutable value that all runs of a worker share"),
        ("def f(seen=[]): pass", "a default that all calls share"),
        ("def f(*, seen=Calls()): pass", "a default that all calls share"),
        ("class A: pass\ndef f():\n    A.seen = 1", "a shared value outlives the run"),
        ("class A:\n    @classmethod\n    def f(cls):\n        cls.seen += 1", "a shared value outlives the run"),
        ("from workflows import updates\ndef f():\n    updates.seen = 1", "a shared value outlives the run"),
        ("from workflows.a import TABLE\ndef f():\n    TABLE['a'] = 1", "a shared value outlives the run"),
        ("from workflows.a import TABLE\ndef f():\n    TABLE.rows.append(1)", "a shared value outlives the run"),
        ("from workflows.a import TABLE\ndef f():\n    del TABLE['a']", "a shared value outlives the run"),
        ("for x in {1, 2}: pass", "the order of a set differs from process to process"),
        ("x = tuple(set('ab'))", "the order of a set differs from process to process"),
        ("for x in frozenset('ab'): pass", "the order of a set differs from process to process"),
        ("x = ', '.join({y for y in 'ab'})", "the order of a set differs from process to process"),
        ("for x in a.keys() & b.keys(): pass", "the order of a set differs from process to process"),
        ("with workflow.unsafe.sandbox_unrestricted(): pass", "workflow.unsafe.sandbox_unrestricted"),
        ("workflow.unsafe.is_replaying()", "workflow.unsafe.is_replaying"),
        ("import watchkeeper.contracts", "watchkeeper.contracts must be passed through the sandbox"),
        ("from watchkeeper.contracts import Reply", "watchkeeper.contracts must be passed through the sandbox"),
        ("from activities.deliver import DeliverActivities", "activities.deliver must be passed through the sandbox"),
    ],
)
def test_impure_code_is_found(line: str, reason: str) -> None:
    assert [found.partition(": ")[2] for found in workflow(line).impurities()] == [reason]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import os", ["os."]),
        ("from activities.deliver import PAGER", ["activities.deliver.PAGER is not a class of activities"]),
        ("from activities.deliver import DeliverActivities", []),
        ("from watchkeeper.contracts import Reply", []),
    ],
)
def test_imports_passed_through_are_own_modules_and_activity_classes(line: str, reason: list[str]) -> None:
    source = f"with workflow.unsafe.imports_passed_through():\n{indent(line, '    ')}"
    assert [found.partition(": ")[2] for found in workflow(source).impurities()] == reason


@pytest.mark.parametrize(
    "line",
    [
        "from datetime import timedelta",
        "import asyncio\nasyncio.gather(x)",
        "x = name in {'a', 'b'}",
        "x = tuple(sorted(set('ab')))",
        "KNOWN = ('a', 'b')",
        "def f():\n    seen = []",
        "def f(seen=()):\n    rows = {}\n    rows['a'] = 1",
        "class A:\n    def f(self):\n        self.seen.append(1)",
        "workflow.now()",
        "workflow.uuid4()",
    ],
)
def test_pure_code_is_accepted(line: str) -> None:
    assert workflow(line).impurities() == []
