"""Export of histories: complete, without secrets, and never over an existing file."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.support.cli_desk import address_of
from tests.support.harness import Harness, Run, run_harness
from tests.support.program import Program
from tests.workflows.test_continue_as_new import impatient as impatient
from watchkeeper.contracts import RunInput, TellRequest
from watchkeeper.replay.history_files import payloads
from watchkeeper.temporal import activity_options
from watchkeeper.testing.replay_assertions import replayed
from watchkeeper.testing.scripts import calls, says
from workflows.incident import IncidentWorkflow

LOOK = ("look", {"service": "checkout"})
SECRET = "s3cret-of-loki"
KEY = "ghp_Abc123Abc123Abc123Abc123"


@pytest.fixture
def program(client: Client, tmp_path: Path) -> Program:
    return Program(tmp_path, {"TEMPORAL_ADDRESS": address_of(client), "WATCHKEEPER_LOKI__TOKEN": SECRET})


def texts(file: Path) -> str:
    """Return the text of a history, including its decoded payloads."""
    recorded = json.loads(file.read_text())

    def parts() -> Iterator[str]:
        yield file.read_text()
        for payload in payloads(recorded):
            yield b64decode(payload.get("data", "")).decode()

    return "\n".join(parts())


async def concluded(harness: Harness, **fields: str) -> Run:
    run = await harness.start(**fields)
    await run.result()
    return run


async def test_an_exported_history_contains_no_secret_and_replays(client: Client, program: Program) -> None:
    script = [calls(LOOK, content=f"I use {SECRET}."), says(f"Rotate {KEY} and {SECRET}.")]
    async with run_harness(client, script) as harness:
        run = await concluded(harness, text=f"Checkout fails with {SECRET} at https://ada:{SECRET}@db/ and {KEY}.")
    ended = await program("history", "export", run.id, "clean.json")
    assert (ended.code, ended.out.startswith("clean.json: ")) == (0, True)
    assert ended.err.startswith("2 secrets removed")
    assert (await program("history", "export", run.id, "raw.json", "--no-redact")).code == 0
    clean, raw = program.directory / "clean.json", program.directory / "raw.json"
    for secret in (SECRET, KEY):
        assert texts(raw).count(secret) > 5
        assert secret not in texts(clean)
    assert "Checkout fails with (secret 1)" in texts(clean)
    assert (await replayed(clean)).agrees


async def test_a_file_is_overwritten_only_on_request(client: Client, program: Program) -> None:
    async with run_harness(client, [says("Fine.")]) as harness:
        run = await concluded(harness)
    file = program.directory / "existing.json"
    file.write_text("old content")
    refused = await program("history", "export", run.id, "existing.json")
    assert (refused.code, file.read_text()) == (2, "old content")
    assert "existing.json exists already; overwrite it with --force" in refused.sentence()
    assert (await program("history", "export", run.id, "existing.json", "--force")).code == 0
    assert (await replayed(file)).agrees
    assert [path.name for path in program.directory.iterdir() if ".part" in path.name] == []


async def test_a_history_on_stdout_is_the_only_output(client: Client, program: Program) -> None:
    async with run_harness(client, [says("Fine.")]) as harness:
        run = await concluded(harness)
    ended = await program("history", "export", run.id, "-")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["events"][0]["eventId"] == "1"


async def test_an_earlier_episode_with_the_same_id_is_exported_by_its_run_id(client: Client, program: Program) -> None:
    async with run_harness(client, [says("First."), says("Second.")]) as harness:
        queue, name = harness.settings.worker.task_queue, f"incident-{harness.settings.worker.task_queue}"
        ids = []
        for text in ("The first time.", "The second time."):
            run = await client.start_workflow(
                IncidentWorkflow.run,
                RunInput(text=text),
                id=name,
                task_queue=queue,
                task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
            )
            await run.result()
            ids.append(run.first_execution_run_id or "")
    assert (await program("history", "export", name, "late.json")).code == 0
    assert (await program("history", "export", f"{name}@{ids[0]}", "early.json")).code == 0
    late, early = texts(program.directory / "late.json"), texts(program.directory / "early.json")
    assert ("The second time." in late, "The first time." in late) == (True, False)
    assert ("The second time." in early, "The first time." in early) == (False, True)
    wrong = await program("history", "export", f"{name}@00000000", "no.json")
    assert (wrong.code, f"no run '{name}@00000000'" in wrong.sentence()) == (1, True)


@pytest.mark.slow
async def test_a_run_that_continued_as_new_has_a_file_for_each_execution(impatient: Client, tmp_path: Path) -> None:
    program = Program(tmp_path, {"TEMPORAL_ADDRESS": address_of(impatient)})
    script = [*(calls(LOOK) for _ in range(6)), says("Fine.")]
    async with run_harness(impatient, script) as harness:
        run = await harness.start(service="checkout")
        while len(harness.model.requests) < 3:
            await run.query(IncidentWorkflow.progress)
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="look twice"))
        await run.result()
    ended = await program("history", "export", run.id, "run.json")
    files = [line.partition(":")[0] for line in ended.out.splitlines()]
    assert files == [f"run-{number}.json" for number in range(1, len(files) + 1)]
    assert len(files) >= 2
    for file in files:
        assert (await replayed(tmp_path / file)).agrees
    first = await program("history", "export", f"{run.id}@{run.first_execution_run_id}", "again.json")
    assert len(first.out.splitlines()) == len(files)
    refused = await program("history", "export", run.id, "-")
    assert (refused.code, "name a FILE for them" in refused.sentence()) == (2, True)
