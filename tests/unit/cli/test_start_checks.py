"""A person's mistake is found where it is typed, also on a machine that has only the address of Temporal."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import Client

from tests.support.cli_desk import address_of
from tests.support.harness import Harness, run_harness
from tests.support.program import Program
from watchkeeper.temporal.client import connect
from watchkeeper.testing.scripts import says

REPORT = "**Status:** checkout is healthy."

pytestmark = pytest.mark.timeout(180)


def elsewhere(harness: Harness) -> dict[str, str]:
    """Environment of a machine without a settings file."""
    return {"WATCHKEEPER_WORKER__TASK_QUEUE": harness.settings.worker.task_queue}


async def started(client: Client, harness: Harness) -> list[str]:
    """Return the runs of the harness."""
    queue = harness.settings.worker.task_queue
    return [run.id async for run in client.list_workflows(f"TaskQueue = '{queue}'")]


MISTAKES = [
    (["--service", "chekout"], "no service 'chekout' in the catalogue of the task queue '{}'; did you mean checkout? "),
    (["--service", "\x1b[2J"], "no service '"),
    (
        ["--tool-choice", "lok"],
        "no tool 'lok' in the catalogue of the task queue '{}'; did you mean look? known: look, ",
    ),
    (["--limit", "cost=0.5"], "a limit on cost needs the prices of every model, and the settings of the workers have "),
    (["--severity", "crtical"], "no severity 'crtical'; did you mean critical?"),
]


@pytest.mark.parametrize("alive", [True, False], ids=["worker", "no worker"])
async def test_a_mistake_starts_no_run(client: Client, program: Program, alive: bool) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        if alive:
            await refuse_all(program, harness)
    if not alive:
        await refuse_all(program, harness)
    assert await started(client, harness) == []


async def refuse_all(program: Program, harness: Harness) -> None:
    for arguments, message in MISTAKES:
        ended = await program("run", "Is checkout well?", *arguments, **elsewhere(harness))
        assert ended.code == 2, arguments
        assert message.format(harness.settings.worker.task_queue) in ended.sentence()
        assert "\x1b" not in ended.err


async def test_what_the_workers_know_is_started(client: Client, program: Program) -> None:
    prices = {"prices": {"input": 1, "output": 1}}
    async with run_harness(client, lambda request: says(REPORT), model=prices) as harness:
        for arguments in (
            ["--service", "checkout", "--severity", "gold customer"],
            ["--tool-choice", "none", "--limit", "cost=0.5"],
            ["--tool-choice", "look", "--no-wait"],
        ):
            ended = await program("run", "Is checkout well?", *arguments, **elsewhere(harness))
            assert (ended.code, ended.err) == (0, "")


async def test_the_catalogue_of_the_workers_counts_more_than_the_settings_of_the_machine(
    client: Client, program: Program
) -> None:
    (program.directory / "watchkeeper.toml").write_text("[services.billing]\nteam = 'any'\n")
    async with run_harness(client, lambda request: says(REPORT)) as harness:
        known = await program("run", "x", "--service", "checkout", **elsewhere(harness))
        unknown = await program("run", "x", "--service", "billing", **elsewhere(harness))
    assert known.code == 0
    assert (unknown.code, "known: checkout, payments" in unknown.sentence()) == (2, True)


@pytest.mark.parametrize(("toml", "code"), [("", 0), ("[services.billing]\nteam = 'any'\n", 2)])
async def test_without_a_publication_only_the_settings_of_the_machine_count(
    client: Client, program: Program, toml: str, code: int
) -> None:
    (program.directory / "watchkeeper.toml").write_text(toml)
    queue = {"WATCHKEEPER_WORKER__TASK_QUEUE": f"unpublished-{code}"}
    ended = await program("run", "x", "--service", "checkout", "--limit", "cost=1", "--no-wait", **queue)
    assert ended.code == code
    if code == 0:
        await client.get_workflow_handle(ended.out.strip()).terminate()


async def test_during_a_deploy_a_run_may_name_what_either_version_knows(client: Client, program: Program) -> None:
    queue: dict[str, Any] = {"task_queue": "two-versions"}
    new = {"billing": {"team": "any"}}
    other = await connect(address_of(client))  # one connection serves only one worker of a task queue
    async with run_harness(client, lambda request: says(REPORT), worker=queue, services=new) as harness:
        async with run_harness(other, lambda request: says(REPORT), worker=queue):
            for service in ("checkout", "billing"):
                ended = await program("run", "x", "--service", service, "--no-wait", **elsewhere(harness))
                assert ended.code == 0, ended.err
            neither = await program("run", "x", "--service", "search", **elsewhere(harness))
        old = await program("run", "x", "--service", "checkout", **elsewhere(harness))
    assert (neither.code, old.code) == (2, 2)


async def test_a_huge_catalogue_gives_a_short_error(client: Client, program: Program) -> None:
    services = {f"service-{number:05}": {"team": "any"} for number in range(5_000)}
    async with run_harness(client, [says(REPORT)], services=services) as harness:
        pass
    ended = await program("run", "x", "--service", "service-4999", **elsewhere(harness))
    assert ended.code == 2
    assert "did you mean service-" in ended.sentence()
    assert "and 4,980 more" in ended.sentence()
    assert len(ended.err) < 1_000
