"""Dispatch alerts of one group as the intake does, without HTTP."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import uuid4

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from tests.support.harness import Harness
from watchkeeper.alerts.registry import make_source
from watchkeeper.alerts.source import ParsedPayload, Source
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Alert, RunResult
from watchkeeper.runs.dispatch import DispatchResult, dispatch_alerts
from workflows.incident import IncidentWorkflow

Run = WorkflowHandle[IncidentWorkflow, RunResult]


class Sender:
    """A source that sends alerts of one group. Times are seconds after ``began``, which is ten minutes ago."""

    def __init__(self, client: Client, settings: Settings, **section: Any) -> None:
        self._client, self._settings = client, settings
        table = {"kind": "alertmanager", "unauthenticated": True, **section}
        self.source: Source[Any] = make_source("prod", SourceSection.model_validate(table))
        self.group = f"group-{uuid4().hex[:8]}"
        self.began = time.time() - 600

    @classmethod
    def on(cls, harness: Harness, **section: Any) -> Sender:
        """Return a sender with the settings of a harness."""
        return cls(harness.client, harness.settings, **section)

    def alert(self, name: str = "HighErrorRate", at: float = 0, over: float | None = None, **fields: Any) -> Alert:
        """Return an alert that has been firing since ``at``, or that resolved at ``over``."""
        alert = {
            "source": self.source.name,
            "group": self.group,
            "fingerprint": name,
            "status": "firing" if over is None else "resolved",
            "title": f"{name}: checkout fails",
            "episode": f"{at}",
            "starts_at": self.began + at,
            "severity": "critical",
            "service": "checkout",
            **fields,
        }
        return Alert.model_validate(alert if over is None else {**alert, "ends_at": self.began + over})

    async def tell(self, *alerts: Alert, opened_key: str | None = None) -> DispatchResult:
        """Send alerts of the group in one notification. ``opened_key`` is of their incident in PagerDuty."""
        payload = ParsedPayload(alerts=list(alerts), opened_keys={self.group: opened_key} if opened_key else {})
        (result,) = await dispatch_alerts(self._client, self._settings, self.source, payload, time.time())
        return result

    async def fire(self, name: str = "HighErrorRate", at: float = 0, **facts: Any) -> DispatchResult:
        """Send a firing alert."""
        return await self.tell(self.alert(name, at, **facts))

    async def resolve(self, name: str = "HighErrorRate", at: float = 0, over: float = 300) -> DispatchResult:
        """Send a resolved alert."""
        return await self.tell(self.alert(name, at, over))

    def run(self, result: DispatchResult) -> Run:
        """Return the run of dispatched alerts."""
        assert result.workflow_id and result.run_id
        return self._client.get_workflow_handle_for(
            IncidentWorkflow.run, result.workflow_id, first_execution_run_id=result.run_id
        )


async def until_reported(run: Run) -> None:
    """Wait until a run has its report. It may stay open after that."""
    while (await run.query(IncidentWorkflow.progress)).status == "running":
        await asyncio.sleep(0.05)


async def is_open(run: Run) -> bool:
    return (await run.describe()).status == WorkflowExecutionStatus.RUNNING
