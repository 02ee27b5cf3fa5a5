"""A destination that did not receive a report: `run`, `watch`, `show`, `list` and their JSON say so."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.applications import Starlette
from temporalio.client import Client

from tests.support.cli_desk import at_desk
from tests.support.program import Program
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.faults import fault
from watchkeeper.testing.scripts import says

WHY = "webhook: the webhook answered 404"


@pytest.mark.parametrize("status", [404, 200])
async def test_an_undelivered_report_is_shown_everywhere(client: Client, program: Program, status: int) -> None:
    receiver = FakeServer(Starlette())
    receiver.outage = fault(status)
    async with serve(receiver) as url:
        reports = {"webhook_url": f"{url}/reports"}
        async with at_desk(client, program, [says("**Fine.**")], reports=reports) as desk:
            ran = await desk.program("run", "Checkout fails.", "--service", "checkout")
            run = ran.out.split()[0]
            watched, shown = await asyncio.gather(desk.program("watch", run), desk.program("show", run))
            (listed,) = json.loads((await desk.program("list", "--json", "--query", f"WorkflowId = '{run}'")).out)
            table = await desk.program("list", "--query", f"WorkflowId = '{run}'")
            view = await desk.shown(run)
    failed = status == 404
    assert (ran.code, watched.code, shown.code) == ((6, 6, 0) if failed else (0, 0, 0))
    for printed in (ran.out, watched.out, shown.out):
        assert (f"not delivered to {WHY}" in printed) == failed, printed
    assert view["undelivered"] == listed["undelivered"] == ([WHY] if failed else [])
    assert ("concluded, not delivered" in table.out) == failed, table.out
