"""The activity ``brief``: the briefing that a run gets at its start and keeps to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

from httpx2 import AsyncClient
from temporalio import activity
from temporalio.exceptions import ApplicationError

from watchkeeper.alerts.severity import temporal_priority
from watchkeeper.config.sections import EpisodeSettings
from watchkeeper.config.settings import ModelProfile, Settings
from watchkeeper.contracts import (
    AlertOrigin,
    ApprovalRules,
    Briefing,
    ConclusionRules,
    Destination,
    FollowUpSettings,
    JsonObject,
    QueueSettings,
    RunInput,
    ToolSpec,
    digest_of,
)
from watchkeeper.incident.page_rules import incident_of, page_rules
from watchkeeper.llm.conversation import ConversationStore, conversation_digest, join_messages
from watchkeeper.paging import LOOK_UP, find_incidents
from watchkeeper.prompts import prompt
from watchkeeper.runs import start_options
from watchkeeper.temporal.activity_options import HISTORY_BOUNDS
from watchkeeper.text import clean, excerpt, utc
from watchkeeper.tool import ToolError, ToolUnavailable
from watchkeeper.tool_calling.catalogue import encode_tools

OVERDUE_AFTER = timedelta(minutes=15)
"""When people are paged for a report that no destination has accepted. Outages of destinations are usually shorter."""

REMINDER_AFTER = 0.5
"""Part of the time to decide about a call after which people are reminded."""

PREVIOUS_REPORT_BYTES = 2_000
"""Largest part of the previous report in the opening messages."""

NO_TEAM = "(no team)"
"""Name of the queue for alerts without a team."""


class BriefActivities:
    """Creates briefings from the settings and the tools of this worker."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Sequence[ToolSpec],
        store: ConversationStore,
        http: AsyncClient | None = None,
    ) -> None:
        self._settings = settings
        self._catalogue = list(catalogue)
        self._tools = encode_tools(self._catalogue)
        self._known = start_options.worker_catalogue(settings, [spec.name for spec in catalogue])
        self._store = store
        self._http = http
        """Without it, no incident in PagerDuty is looked up."""

    @activity.defn
    async def brief(self, run_input: RunInput) -> Briefing:
        """Return the opening messages, the tools, the limits and the destinations of a run.

        Fails without retry: ``UnknownService`` or ``UnknownTool`` if the run names one that does not exist,
        ``PricesUnknown`` if it limits the cost and a model has no prices.
        """
        settings, names = self._settings, [spec.name for spec in self._catalogue]
        if (problem := start_options.catalogue_problem(run_input, self._known)) is not None:
            raise _refusal(problem.kind, problem.message)
        forced = start_options.forced_tool(run_input)
        if run_input.tool_choice is not None and run_input.tool_choice.mode == "named" and forced is None:
            raise _refusal("UnknownTool", f"name the tool to force; available: {', '.join(names)}")
        limits = settings.limits_for(run_input.limits)
        if limits.cost is not None and self._known.unpriced:
            raise _refusal("PricesUnknown", start_options.prices_unknown(self._known.unpriced))
        flapping = _flapping_episode(settings.episodes, run_input.origin, time.time())
        is_open, number = await self._opened_incident(run_input.origin)
        opening = _opening_messages(run_input, flapping=flapping, paged=(number or "an incident") if is_open else None)
        channel = settings.channel(run_input.origin, run_input.service)
        briefing = Briefing(
            opening=opening,
            tools=self._catalogue,
            catalogue=digest_of(self._tools),
            limits=limits,
            model=settings.model.name,
            model_deadline=max(profile.deadline for profile in settings.profiles),
            history=HISTORY_BOUNDS,
            window=_context_limit(settings.model),
            destinations=_destinations(settings, channel),
            nudge=prompt("nudge"),
            conclude=prompt("conclude"),
            conclusions=_conclusion_rules(run_input),
            pages=page_rules(
                settings,
                run_input,
                incident_of(run_input, is_open=is_open, opened_number=number),
                prompt("look_first"),
            ),
        )
        if run_input.origin is not None:
            update = {"follow_ups": _follow_ups(settings, flapping=flapping)}
            briefing = briefing.model_copy(update=update)
        if run_input.origin is not None or any(place not in ("log", "page") for place in briefing.destinations):
            briefing = briefing.model_copy(update={"overdue": OVERDUE_AFTER.total_seconds()})
        if channel is not None:
            briefing = briefing.model_copy(update={"channel": channel})
        if channel is not None or settings.approval.page:
            briefing = briefing.model_copy(update={"approvals": _approval_rules(settings)})
        if run_input.tool_choice is not None and run_input.tool_choice.mode in ("required", "named"):
            insist = prompt("insist").format(tool=forced or "a tool")
            briefing = briefing.model_copy(update={"insist": insist})
        if (turns := _queue_settings(settings, run_input)) is not None:
            briefing = briefing.model_copy(update={"turns": turns})
        self._store.put(conversation_digest(opening), join_messages(opening))
        self._store.put(briefing.catalogue, self._tools)
        return briefing

    async def _opened_incident(self, origin: AlertOrigin | None) -> tuple[bool, str | None]:
        """Return whether the alerting system has opened an incident in PagerDuty that is open, and its number.

        A run starts also if PagerDuty does not answer; then the word of the operator and of the sender counts.
        """
        if origin is None or origin.opened_key is None:
            return False, None
        if self._http is None or self._settings.pagerduty.api_token is None:
            return origin.surely_opened, None
        try:
            async with asyncio.timeout(LOOK_UP.total_seconds()):
                found = await find_incidents(self._http, self._settings, origin.opened_key, only_open=True)
        except (ToolError, ToolUnavailable, TimeoutError):
            return origin.surely_opened, None
        return bool(found), found[0].number if found else None


def _conclusion_rules(run_input: RunInput) -> ConclusionRules:
    rules = ConclusionRules(text_call=prompt("text_call"), correction=prompt("correction"))
    return rules if run_input.origin is None else rules.model_copy(update={"by_alert": True})


def _context_limit(model: ModelProfile) -> int:
    """Return the largest conversation in tokens: the window minus the reply, minus a tenth for the results."""
    free = model.context_tokens - (model.max_completion_tokens or 0)
    return int(max(free, model.context_tokens / 2) * 0.9)


def _destinations(settings: Settings, channel: str | None) -> list[Destination]:
    reports = settings.reports
    chosen: list[tuple[Destination, object]] = [
        ("log", True),
        ("directory", reports.directory),
        ("webhook", reports.webhook_url),
        ("slack", channel),
        ("pagerduty_note", settings.notes_incidents),
        ("page", reports.page_on_hand_off and settings.pages_anybody),
    ]
    return [destination for destination, wanted in chosen if wanted]


def _flapping_episode(episodes: EpisodeSettings, origin: AlertOrigin | None, now: float) -> int:
    """Return the number of this episode within ``flapping_period`` if the group flaps, otherwise 0."""
    began = origin.previous.began if origin and origin.previous else []
    recent = sum(at >= now - episodes.flapping_period for at in began) + 1
    return recent if recent >= episodes.flapping else 0


def _follow_ups(settings: Settings, *, flapping: int) -> FollowUpSettings:
    episodes = settings.episodes
    return FollowUpSettings(
        window=episodes.follow_up,
        quiet=episodes.quiet if flapping else 0,
        flapping=flapping,
        limits=settings.limits.model_copy(update={"rounds": episodes.follow_up_rounds}),
        alerts=episodes.joining,
        began=prompt("began"),
        changed=prompt("changed"),
        recovered=prompt("recovered"),
        pages=True,
    )


def _approval_rules(settings: Settings) -> ApprovalRules:
    rules = ApprovalRules(reminder=REMINDER_AFTER)
    return rules.model_copy(update={"page": True}) if settings.approval.page else rules


def _queue_settings(settings: Settings, run_input: RunInput) -> QueueSettings | None:
    """Return the queue of a run, which it shares with its team. A person's question does not wait in a queue."""
    if run_input.origin is None:
        return None
    return QueueSettings(
        queue=run_input.origin.team or NO_TEAM,
        places=settings.episodes.investigations,
        patience=settings.episodes.queue,
        priority=temporal_priority(run_input.severity),
    )


def _opening_messages(run_input: RunInput, *, flapping: int, paged: str | None) -> list[JsonObject]:
    facts = [
        f"{name}: {value}"
        for name, value in (("Service", run_input.service), ("Severity", run_input.severity))
        if value
    ]
    previous = run_input.origin.previous if run_input.origin else None
    notes: list[str] = []
    if run_input.origin is not None and (unknown := run_input.origin.unknown_service):
        notes.append(prompt("unknown_service").format(name=_escape_closing_tags(unknown)))
    if previous is not None:
        summary = _escape_closing_tags(excerpt(previous.summary, PREVIOUS_REPORT_BYTES))
        ended = utc(previous.ended_at)
        notes.append(prompt("previous").format(ended_at=ended, status=previous.status, summary=summary))
    if flapping:
        notes.append(prompt("flapping").format(episode=flapping))
    if paged is not None:
        notes.append(prompt("paged").format(incident=paged))
    text = (
        run_input.text
        if run_input.origin is None
        else prompt("alerted").format(title=_escape_closing_tags(run_input.text))
    )
    content = clean("\n\n".join(["\n".join([*facts, text]), *notes]))
    return [{"role": "system", "content": prompt("system")}, {"role": "user", "content": content}]


def _escape_closing_tags(text: str) -> str:
    """Escape closing tags, so that a text cannot end the tag that encloses it in the prompt."""
    return text.replace("</", "<\\/")


def _refusal(kind: str, message: str) -> ApplicationError:
    return ApplicationError(message, type=kind, non_retryable=True)
