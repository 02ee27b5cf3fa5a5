"""The view of a run that alerts started: alerts, conclusion and follow-ups."""

from __future__ import annotations

import asyncio
from io import StringIO

from rich.console import Console
from temporalio.client import Client

from tests.support.alert_sender import Sender, until_reported
from tests.support.harness import concludes, run_harness
from watchkeeper.cli.watch.renderer import TerminalRenderer
from watchkeeper.contracts import TellRequest
from watchkeeper.run_view.follow import follow_run, read_run
from watchkeeper.run_view.json_view import run_json
from watchkeeper.run_view.projection import RunProjection
from watchkeeper.runs.client import find_run
from workflows.incident import IncidentWorkflow

PATIENCE = 20.0


async def narrated(client: Client, run: str) -> tuple[RunProjection, str]:
    """Follow a run as `watch` does. Return what a person reads."""
    projection, written = RunProjection(client.data_converter), StringIO()
    renderer = TerminalRenderer(projection.view, Console(file=written, width=200))
    async with asyncio.timeout(PATIENCE):
        await follow_run(client, run, projection, renderer.show_change, renderer.show_notice)
    return projection, written.getvalue()


async def test_follow_run_ends_with_the_report_of_an_open_run(client: Client) -> None:
    async with run_harness(client, concludes("**Cause:** a deploy.", "18 %.")) as harness:
        sender = Sender.on(harness)
        run = sender.run(await sender.fire())
        projection, read = await narrated(client, run.id)
        await until_reported(run)
        shown = run_json(await read_run(client, run.id))
        listed = await find_run(client, run.id)
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="How bad?", by="ann"))
        _, more = await narrated(client, run.id)
        await sender.resolve()
        await run.result()
        _, whole = await narrated(client, run.id)
    assert projection.view.status == "concluded"
    assert "! firing (critical): HighErrorRate: checkout fails" in read
    assert "It stays open until its alerts resolve; ask more: watchkeeper tell" in read
    assert (shown["status"], shown["open"], shown["closed_at"]) == ("concluded", True, None)
    assert (listed.status, listed.closed_at) == ("concluded", None)
    assert shown["alerts"][0]["title"] == "HighErrorRate: checkout fails"
    assert shown["origin"]["source"] == "prod"
    assert "ann writes to the model: How bad?" in more
    assert "18 %." in more
    assert more.rstrip().splitlines()[-1].startswith("3 rounds · 1 call · "), "what it took, with the follow-up"
    assert "✓ resolved (critical): HighErrorRate" in whole
    assert whole.rstrip().splitlines()[-1].startswith("closed 20")
    assert whole.count("Cause:") == 1


async def test_a_malformed_alert_signal_is_ignored_as_the_run_ignores_it(client: Client) -> None:
    async with run_harness(client, concludes("**Cause:** a deploy.")) as harness:
        sender = Sender.on(harness)
        run = sender.run(await sender.fire())
        await run.signal("alert", {"nonsense": 1})
        await until_reported(run)
        view = await read_run(client, run.id)
    assert view.report is not None and view.episode.firing == 1
