"""What histories, operators and other programs call things by stays as it is: every name is pinned.

A new name is a new line in ``golden/names.txt`` (write it with ``--record-contracts``); one that changes or goes
strands open runs, and needs a decision record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import get_args

import pytest
from temporalio.activity import _Definition as Activity
from temporalio.client import Client
from temporalio.workflow import _Definition as Workflow

from activities.ask import ERROR_TYPES
from tests.support import paths
from tests.support.paths import HISTORIES
from tests.support.settings import build_settings
from watchkeeper.incident import budget
from watchkeeper.runs import client as runs_client
from watchkeeper.temporal import search_attributes
from worker import run_worker

GOLDEN = paths.GOLDEN / "names.txt"


_CONTRACTS = re.compile(r"watchkeeper\.contracts\.\w+\.")


def signature(name: str | None, takes: list[type] | None, gives: object) -> str:
    taken = ", ".join(kind.__name__ for kind in takes or [])
    given = gives.__name__ if isinstance(gives, type) and not get_args(gives) else _CONTRACTS.sub("", f"{gives}")
    return f"{name}({taken}) -> {given}"


def of_workflows(classes: list[type]) -> Iterator[str]:
    for kind in classes:
        run = Workflow.must_from_class(kind)
        yield f"workflow {signature(run.name, run.arg_types, run.ret_type)}"
        yield from (f"signal {name}" for name in run.signals)
        yield from (f"update {signature(name, act.arg_types, act.ret_type)}" for name, act in run.updates.items())
        yield from (f"query {signature(name, asked.arg_types, asked.ret_type)}" for name, asked in run.queries.items())


def of_activity_ids() -> set[str]:
    """The shapes of ids by activity, from what was recorded; tools are all alike."""
    found: set[str] = set()
    for path in HISTORIES.glob("*.json"):
        for event in json.loads(path.read_text())["events"]:
            if (scheduled := event.get("activityTaskScheduledEventAttributes")) is not None:
                known_as, shape = scheduled["activityType"]["name"], re.sub(r"\d+", "N", scheduled["activityId"])
                found.add(f"id {'TOOL' if shape == 'rN.N' else known_as} {shape}")
    return found


async def test_every_name_is_pinned(client: Client, request: pytest.FixtureRequest) -> None:
    async with run_worker(client, build_settings("http://127.0.0.1:1/v1")) as works:
        config = works.worker.config()
    activities = [Activity.must_from_callable(known) for known in config.get("activities", ())]
    names = [
        *of_workflows(list(config.get("workflows", ()))),
        *(f"activity {signature(known.name, known.arg_types, known.ret_type)}" for known in activities),
        *of_activity_ids(),
        *(f"attribute {key.name} {key.indexed_value_type.name}" for key in search_attributes.ALL),
        *(f"error {name}" for name in {*budget.LIMIT_ERROR_TYPES.values(), *ERROR_TYPES.values()}),
    ]
    written = "".join(f"{line}\n" for line in sorted(names))
    if request.config.getoption("--record-contracts"):
        GOLDEN.write_text(written)
    assert written == GOLDEN.read_text()


def test_the_client_uses_the_name_of_the_workflow() -> None:
    assert f"workflow {runs_client.WORKFLOW}(" in GOLDEN.read_text()
