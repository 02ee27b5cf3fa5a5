"""Alerts as a sender tells of them, and what the intake makes of them, without HTTP."""

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
    """One source that tells of one group; times count in seconds from its beginning, which lies a little back."""

    def __init__(self, client: Client, settings: Settings, **section: Any) -> None:
        self._client, self._settings = client, settings
        table = {"kind": "alertmanager", "unauthenticated": True, **section}
        self.source: Source[Any] = make_source("prod", SourceSection.model_validate(table))
        self.group = f"group-{uuid4().hex[:8]}"
        self.began = time.time() - 600

    @classmethod
    def on(cls, harness: Harness, **section: Any) -> Sender:
        """A source whose settings belong to this harness."""
        return cls(harness.client, harness.settings, **section)

    def alert(self, name: str = "HighErrorRate", at: float = 0, over: float | None = None, **facts: Any) -> Alert:
        """An alert that fires since ``at``, or is over."""
        told = {
            "source": self.source.name,
            "group": self.group,
            "fingerprint": name,
            "status": "firing" if over is None else "resolved",
            "title": f"{name}: checkout fails",
            "episode": f"{at}",
            "starts_at": self.began + at,
            "severity": "critical",
            "service": "checkout",
            **facts,
        }
        return Alert.model_validate(told if over is None else {**told, "ends_at": self.began + over})

    async def tell(self, *alerts: Alert) -> DispatchResult:
        """Send alerts of the group at once."""
        (admitted,) = await dispatch_alerts(
            self._client, self._settings, self.source, ParsedPayload(alerts=list(alerts)), time.time()
        )
        return admitted

    async def fire(self, name: str = "HighErrorRate", at: float = 0, **facts: Any) -> DispatchResult:
        """Tell of one that fires."""
        return await self.tell(self.alert(name, at, **facts))

    async def resolve(self, name: str = "HighErrorRate", at: float = 0, over: float = 300) -> DispatchResult:
        """Tell that one is over."""
        return await self.tell(self.alert(name, at, over))

    def run(self, admitted: DispatchResult) -> Run:
        """The run that alerts were given to."""
        assert admitted.workflow_id and admitted.run_id
        return self._client.get_workflow_handle_for(
            IncidentWorkflow.run, admitted.workflow_id, first_execution_run_id=admitted.run_id
        )


async def until_reported(run: Run, **wanted: Any) -> None:
    """Return when a run has its report, whether or not it stays open."""
    while (await run.query(IncidentWorkflow.progress)).status == "running":
        await asyncio.sleep(0.05)


async def is_open(run: Run) -> bool:
    return (await run.describe()).status == WorkflowExecutionStatus.RUNNING
