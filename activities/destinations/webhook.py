"""The operator's webhook: takes reports as JSON. Later versions may add fields."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

from httpx2 import AsyncClient, HTTPError, InvalidURL
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.config.sections import ReportSettings
from watchkeeper.contracts import AlertOrigin, AlertState, Report, ReportDelivery, RunStatus
from watchkeeper.http.retry import retry_delay, retryable
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import clean_json, harmless
from watchkeeper.tool import ToolError, ToolUnavailable
from watchkeeper.webhook_signature import signature_headers

SECONDS = 30.0


class PostedReport(BaseModel):
    """The JSON body for the webhook. Fields are never removed; a later version may add some."""

    model_config = ConfigDict(title="Watchkeeper report")

    form: Literal["watchkeeper.report/1"] = Field(default="watchkeeper.report/1", alias="schema")
    run: str = Field(description="First execution run id; with follow_up it names the report.")
    workflow_id: str
    status: RunStatus
    report: Report
    reason: str | None = Field(default=None, description="Why the run did not conclude.")
    service: str | None = None
    severity: str | None = None
    origin: AlertOrigin | None = Field(
        default=None, description="The group of alerts that started it; null: a person did."
    )
    alerts: list[AlertState] = Field(default_factory=list, description="As the run knows them.")
    follow_up: int = Field(default=0, description="Which follow-up this answers, from 1; 0: it is the report.")
    question: str | None = Field(default=None, description="What that follow-up asked.")


async def post_report(delivery: ReportDelivery, reports: ReportSettings, http: AsyncClient) -> bool:
    """Post a report, signed if a secret is set. ``webhook-id`` is the same in every attempt.

    Raises ToolError and ToolUnavailable. Their messages leave out the URL, because it may contain a secret.
    """
    if reports.webhook_url is None:
        return False
    body = report_body(delivery)
    message_id = f"{delivery.run}/{delivery.part}"
    headers = {"content-type": "application/json", "webhook-id": message_id}
    if reports.webhook_secret is not None:
        headers |= signature_headers(reports.webhook_secret, message_id, int(time.time()), body)
    try:
        async with asyncio.timeout(SECONDS):
            # The status is the answer. The body is not read: a large or slow one must not cause a second delivery.
            async with http.stream("POST", reports.webhook_url, content=body, headers=headers) as response:
                pass
    except (HTTPError, InvalidURL, TimeoutError) as error:
        raise ToolUnavailable(f"the webhook cannot be reached: {type(error).__name__}") from None
    if response.is_success:
        return True
    answered = f"the webhook answered {response.status_code}"
    if retryable(response.status_code, response.headers):
        raise ToolUnavailable(answered, retry_delay(response.headers))
    raise ToolError(answered)


def report_body(delivery: ReportDelivery) -> bytes:
    """Return the body: the same bytes for the same report."""
    texts = {"summary": harmless(delivery.report.summary), "body": harmless(delivery.report.body)}
    report = delivery.report.model_copy(update=texts)
    posted = PostedReport.model_validate(delivery.model_copy(update={"report": report}).model_dump())
    return canonical_json(clean_json(posted.model_dump(mode="json", by_alias=True)))
