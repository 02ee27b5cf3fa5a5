"""The names that histories, operators and other programs use do not change: every one is pinned.

A new name is a new line in ``golden/names.txt`` (write it with ``--record-contracts``). A name that changes or is
removed blocks open runs, and needs a decision record.
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


def signature(name: str | None, argument_types: list[type] | None, result_type: object) -> str:
    arguments = ", ".join(kind.__name__ for kind in argument_types or [])
    result = (
        result_type.__name__
        if isinstance(result_type, type) and not get_args(result_type)
        else _CONTRACTS.sub("", f"{result_type}")
    )
    return f"{name}({arguments}) -> {result}"


def workflow_names(classes: list[type]) -> Iterator[str]:
    for workflow_class in classes:
        run = Workflow.must_from_class(workflow_class)
        yield f"workflow {signature(run.name, run.arg_types, run.ret_type)}"
        yield from (f"signal {name}" for name in run.signals)
        yield from (
            f"update {signature(name, update.arg_types, update.ret_type)}" for name, update in run.updates.items()
        )
        yield from (f"query {signature(name, query.arg_types, query.ret_type)}" for name, query in run.queries.items())


def activity_id_names() -> set[str]:
    """Return the form of the ids of each activity, from the recorded histories. All tools have the same form."""
    found: set[str] = set()
    for path in HISTORIES.glob("*.json"):
        for event in json.loads(path.read_text())["events"]:
            if (scheduled := event.get("activityTaskScheduledEventAttributes")) is not None:
                activity_type, shape = scheduled["activityType"]["name"], re.sub(r"\d+", "N", scheduled["activityId"])
                found.add(f"id {'TOOL' if shape == 'rN.N' else activity_type} {shape}")
    return found


async def test_every_name_is_pinned(client: Client, request: pytest.FixtureRequest) -> None:
    async with run_worker(client, build_settings("http://127.0.0.1:1/v1")) as running_worker:
        config = running_worker.worker.config()
    activities = [Activity.must_from_callable(definition) for definition in config.get("activities", ())]
    names = [
        *workflow_names(list(config.get("workflows", ()))),
        *(
            f"activity {signature(definition.name, definition.arg_types, definition.ret_type)}"
            for definition in activities
        ),
        *activity_id_names(),
        *(f"attribute {key.name} {key.indexed_value_type.name}" for key in search_attributes.ALL),
        *(f"error {name}" for name in {*budget.LIMIT_ERROR_TYPES.values(), *ERROR_TYPES.values()}),
    ]
    written = "".join(f"{line}\n" for line in sorted(names))
    if request.config.getoption("--record-contracts"):
        GOLDEN.write_text(written)
    assert written == GOLDEN.read_text()


def test_the_client_uses_the_name_of_the_workflow() -> None:
    assert f"workflow {runs_client.WORKFLOW}(" in GOLDEN.read_text()
