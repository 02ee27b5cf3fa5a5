"""What docs/ui.md says of search attributes is so, and the queries in it find what they are said to find."""

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

FOUND = {
    "runs that wait for a person": {WAITING},
    "runs under investigation": {WAITING},
    "alerts that still fire after the report": {OPEN},
    "runs without a conclusion": {LIMITED, STOPPED},
    "failed runs of a service": set[str](),
    "runs that a limit ended": {LIMITED},
    "expensive runs": set[str](),
    "long runs": set[str](),
    "runs that an alert source started": {OPEN},
    "critical runs since a day": {OPEN, FINISHED, WAITING},
    "runs without the queues of the teams": {OPEN, FINISHED, LIMITED, STOPPED, WAITING},
}
"""Of the runs in the scene, by the words before the query."""


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    section = DOC.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (.+) \|$", section, re.M)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines[1:]]


def test_the_page_lists_every_search_attribute_with_its_type_and_values() -> None:
    told = {name.strip("`"): (kind, set(re.findall(r"`(\w+)`", values))) for name, kind, values in rows("The list")}
    assert {name: kind for name, (kind, _) in told.items()} == {
        key.name: search_attributes.type_name(key) for key in search_attributes.ALL
    }
    assert told["Phase"][1] == set(get_args(search_attributes.Phase))
    assert told["WaitingFor"][1] == set(get_args(search_attributes.WaitingFor))
    assert told["Outcome"][1] == set(get_args(RunStatus)) - {"running"}
    assert search_attributes.PERSON in told["Source"][1]


def test_its_pictures_are_the_ones_that_the_tests_take() -> None:
    shown = set(re.findall(r"\]\(pictures/([\w-]+\.png)\)", DOC))
    assert shown == {path.name for path in (DOCS / "pictures").iterdir()}


async def finds(scene: Scene, query: str, wanted: set[str]) -> None:
    """See that a query finds these; what was recorded last is listed a moment later."""
    names, found = {scene.alerted if run == OPEN else run for run in wanted}, set[str]()
    for _ in range(50):
        found = {run.id async for run in scene.server.client.list_workflows(query)}
        if found == names:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{query} finds {sorted(found)}, not {sorted(names)}")


def queries() -> dict[str, str]:
    return {what: query.strip("`") for what, query in rows("Queries to save")}


async def test_its_queries_find_the_expected_runs(played: Scene) -> None:
    assert queries().keys() == FOUND.keys()
    for what, query in queries().items():
        await finds(played, query, FOUND[what])


async def test_its_queries_for_large_numbers_and_failures_find_such_runs(played: Scene) -> None:
    """The scene holds nothing so large, and no failure, so they are asked for what it holds."""
    asked = queries()
    await finds(played, asked["long runs"].replace("20", "3"), {OPEN, FINISHED})
    every = FOUND["runs without the queues of the teams"]
    await finds(played, asked["expensive runs"].replace("1", "0.0"), every)
    failed = asked["failed runs of a service"].replace("failed", "concluded")
    await finds(played, failed, {OPEN, FINISHED})


async def test_the_temporal_cli_accepts_its_queries(played: Scene) -> None:
    (command,) = re.findall(r"`(temporal [^`]+)`", DOC)
    query = queries()["runs that wait for a person"]
    program, *words = command.split()
    listing = await asyncio.create_subprocess_exec(
        *(str(find_binary().with_name(program)), *words, query, "--address", played.server.address, "--output", "json"),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await listing.communicate()
    assert [run["execution"]["workflowId"] for run in json.loads(said)] == [WAITING]
