"""A report that another workflow delivers later is in the trace and in the metrics of its run."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from tests.activities.test_deliver import Inbox
from tests.support.alert_sender import Sender
from tests.support.harness import LOOK, failure
from tests.support.otlp_receiver import otlp_receiver
from tests.support.settings import paging_tables
from tests.support.span_tree import root_of
from tests.support.telemetry_harness import telemetry_harness
from tests.unit.telemetry.test_metrics import Exposition
from watchkeeper.contracts import JsonObject
from watchkeeper.demo.world import World
from watchkeeper.temporal.ports import free_port
from watchkeeper.testing.faults import fault
from watchkeeper.testing.scripts import ScriptedReply, calls
from workflows.late_delivery import DeliveryWorkflow


def always_looks(request: JsonObject) -> ScriptedReply:
    return calls(LOOK)


@pytest.mark.timeout(60)
async def test_a_late_delivery_belongs_to_its_run(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with otlp_receiver() as received, Inbox.open() as inbox:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        inbox.outage = fault(503, headers={"retry-after": "1"})
        tables: dict[str, Any] = {
            **paging_tables(world, webhook_url=inbox.url),
            "limits": {"rounds": 2},
            "telemetry": {"metrics_port": free_port()},
        }
        async with telemetry_harness(client, always_looks, **tables) as (harness, process):
            sender = Sender.on(harness)
            run = sender.run(await sender.fire())
            _, _, result = await failure(run)
            tried = len(received.named("deliver webhook"))
            inbox.outage = None
            later: WorkflowHandle[Any, list[str]] = client.get_workflow_handle_for(
                DeliveryWorkflow.run, f"delivery-{run.first_execution_run_id}-report"
            )
            assert await later.result() == []
            await received.until(lambda received: any(not span.is_error for span in received.named("deliver webhook")))
            assert process.metrics is not None
            metrics = Exposition(process.metrics.scrape().decode())
    assert result.undelivered == ["webhook: not accepted yet; it is still tried"]
    root = root_of(received.spans)
    *failed, delivered = received.named("deliver webhook")
    assert len(failed) >= tried > 0
    assert delivered.parent_id == root.span_id
    assert delivered.attributes["gen_ai.conversation.id"] == run.id == root.attributes["temporal.workflow_id"]
    assert delivered.attributes["watchkeeper.run.id"] == run.first_execution_run_id
    assert delivered.attributes["temporal.workflow_id"] == later.id
    assert delivered.attributes["watchkeeper.destination"] == "webhook"
    assert metrics.value("watchkeeper_reports_total", destination="webhook", status="delivered") == 1
    assert metrics.value("watchkeeper_reports_total", destination="webhook", status="failed") == len(failed)
    assert metrics.value("watchkeeper_runs_total", outcome="limit_reached", source=sender.source.name) == 1
