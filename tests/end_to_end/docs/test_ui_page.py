"""docs/ui.md lists the search attributes correctly, and its queries find the runs that it says."""

from __future__ import annotations

import asyncio
import json
import re
from typing import get_args

from tests.end_to_end.ui.scene import FINISHED, LIMITED, STOPPED, WAITING, Scene
from tests.support.paths import DOCS
from watchkeeper.contracts import RunStatus
from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.dev_server import find_binary

DOC = (DOCS / "ui.md").read_text()
OPEN = "the alerted run"

EXPECTED_RUNS = {
    "runs that wait for a person": {WAITING},
    "runs under investigation": {WAITING},
    "alerts that still fire after the report": {OPEN},
    "runs without a conclusion": {LIMITED, STOPPED},
    "failed runs of a service": set[str](),
    "runs that a limit ended": {LIMITED},
    "reports to check": set[str](),
    "expensive runs": set[str](),
    "long runs": set[str](),
    "runs that an alert source started": {OPEN},
    "critical runs since a day": {OPEN, FINISHED, WAITING},
    "runs without the queues of the teams": {OPEN, FINISHED, LIMITED, STOPPED, WAITING},
}
"""Runs of the scene that each query must find, by the text before the query."""


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading."""
    section = DOC.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (.+) \|$", section, re.M)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines[1:]]


def test_the_page_lists_every_search_attribute_with_its_type_and_values() -> None:
    attributes = {
        name.strip("`"): (kind, set(re.findall(r"`(\w+)`", values))) for name, kind, values in rows("The list")
    }
    assert {name: kind for name, (kind, _) in attributes.items()} == {
        key.name: search_attributes.type_name(key) for key in search_attributes.ALL
    }
    assert attributes["Phase"][1] == set(get_args(search_attributes.Phase))
    assert attributes["WaitingFor"][1] == set(get_args(search_attributes.WaitingFor))
    assert attributes["Outcome"][1] == set(get_args(RunStatus)) - {"running"}
    assert search_attributes.PERSON in attributes["Source"][1]


def test_its_pictures_are_the_ones_that_the_tests_take() -> None:
    shown = set(re.findall(r"\]\(pictures/([\w-]+\.png)\)", DOC))
    assert shown == {path.name for path in (DOCS / "pictures").iterdir()}


async def assert_finds(scene: Scene, query: str, expected: set[str]) -> None:
    """Wait until a query finds exactly these runs. Lists are updated with a short delay."""
    names, found = {scene.alerted if run == OPEN else run for run in expected}, set[str]()
    for _ in range(50):
        found = {run.id async for run in scene.server.client.list_workflows(query)}
        if found == names:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{query} finds {sorted(found)}, not {sorted(names)}")


def queries() -> dict[str, str]:
    return {what: query.strip("`") for what, query in rows("Queries to save")}


async def test_its_queries_find_the_expected_runs(ui_scene: Scene) -> None:
    assert queries().keys() == EXPECTED_RUNS.keys()
    for what, query in queries().items():
        await assert_finds(ui_scene, query, EXPECTED_RUNS[what])


async def test_its_queries_for_large_numbers_and_failures_find_such_runs(ui_scene: Scene) -> None:
    """The scene has no such runs, so the queries are changed to smaller values and another outcome."""
    saved = queries()
    await assert_finds(ui_scene, saved["long runs"].replace("20", "3"), {OPEN, FINISHED})
    all_runs = EXPECTED_RUNS["runs without the queues of the teams"]
    await assert_finds(ui_scene, saved["expensive runs"].replace("1", "0.0"), all_runs)
    failed = saved["failed runs of a service"].replace("failed", "concluded")
    await assert_finds(ui_scene, failed, {OPEN, FINISHED})


async def test_the_temporal_cli_accepts_its_queries(ui_scene: Scene) -> None:
    (command,) = re.findall(r"`(temporal [^`]+)`", DOC)
    query = queries()["runs that wait for a person"]
    program, *arguments = command.split()
    listing = await asyncio.create_subprocess_exec(
        *(
            str(find_binary().with_name(program)),
            *arguments,
            query,
            "--address",
            ui_scene.server.address,
            "--output",
            "json",
        ),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await listing.communicate()
    assert [run["execution"]["workflowId"] for run in json.loads(output)] == [WAITING]
