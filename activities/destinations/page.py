"""The pager: wakes a person for a run that did not conclude."""

from __future__ import annotations

from httpx2 import AsyncClient

from watchkeeper import paging
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Incident, ReportDelivery
from watchkeeper.incident.run_address import run_address
from watchkeeper.page_content import PageContent, page_content
from watchkeeper.text import excerpt
from watchkeeper.tool import ToolError

SUMMARY_BYTES = 900


async def page_team(delivery: ReportDelivery, settings: Settings, http: AsyncClient) -> bool:
    """Page the owning team or, if PagerDuty refuses that page for good, the next team that can be paged.

    False: no page is needed. Raises ToolError if no team can be paged, and ToolUnavailable.
    """
    if delivery.refused:
        return False
    enabled = settings.reports.page_on_hand_off or delivery.last_resort
    if not (enabled and settings.pages_anybody):
        return False
    teams = settings.on_call_order(delivery.service, delivery.origin.team if delivery.origin else None)
    if not teams:
        reason = f"no team of {delivery.service!r} has a routing key" if delivery.service else "no service is named"
        raise ToolError(
            f"no one was paged: {reason}, and no fallback exists; set reports.team or pagerduty.routing_key"
        )
    # Alerts that joined after the report must wake someone, although the first page or incident may be open still.
    joined = None if delivery.follow_up else await paging.joined_key(http, settings, delivery.incident)
    refused: list[str] = []
    for team in teams:
        content = _content(delivery, settings, refused)
        try:
            await paging.send_page(
                http, settings, team, content, joined or paging.page_key(delivery.page_subject, team)
            )
        except ToolError as error:
            refused.append(settings.redactor.text(f"team {team}: {error}"))
        else:
            return True
    raise ToolError(f"no one was paged: {'; '.join(refused)}")


def _content(delivery: ReportDelivery, settings: Settings, refused: list[str]) -> PageContent:
    details = {
        "run": delivery.workflow_id,
        "show": f"watchkeeper show {delivery.workflow_id}",
        "status": delivery.status,
        "not_paged": "\n".join(refused),
    }
    run_url = run_address(settings.reports.run_url, delivery.workflow_id, delivery.run)
    summary = excerpt(delivery.report.summary, SUMMARY_BYTES)
    incident = delivery.incident
    if incident is None:  # the run has no briefing, or one by an earlier version
        service, severity = delivery.service, delivery.severity
        return page_content(Incident(title=summary, service=service, severity=severity), details, run_url=run_url)
    if delivery.status == "concluded":
        reason = delivery.wake or "the report reached no one"
        return page_content(incident, details, reason=reason, model_says=summary, run_url=run_url)
    why = delivery.wake or "no conclusion"
    reason = f"{why}: {delivery.reason}" if delivery.reason else summary
    return page_content(incident, details, reason=reason, run_url=run_url)
