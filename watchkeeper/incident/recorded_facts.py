"""The facts that code writes under every report: who was paged, what was read and done, what cut it short (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.contracts import CallRecord, ToolSpec
from watchkeeper.incident.phrases import CHECK_FIRST
from watchkeeper.text import count, excerpt, json_summary

MAX_TARGETS = 5
"""Most services, or other targets, that are named for a tool."""

_TARGET = re.compile(
    r'"(?:services?|teams?|namespaces?|cluster|node|host|pod|workload|deployment|object|instance|job|repository|url)"'
    r'\s*:\s*(?:("[^"\\]{1,80}")|\[((?:\s*"[^"\\]{1,80}"\s*,?){1,50})\])'
)
"""A target in the JSON of arguments, which may be cut short."""
_STRING = re.compile(r'"([^"]+)"')

MAX_LINES = 20
"""Most pages, and most changes, that are listed; the latest ones."""

WHY_BYTES = 300
CANNOT_PAGE = "- Reports page no one here: no PagerDuty routing key is set, or `reports.page_on_hand_off` is off."
UNCLEAR = ("unknown", "running")
"""Statuses of calls that may have had their effect."""


@dataclass(frozen=True)
class PagePlan:
    """Whether a page goes out with the report."""

    why: str | None = None
    """Why people are paged with it; None: they are not."""
    team: str | None = None
    """The team that this page reaches, unless PagerDuty refuses it; None: unknown."""
    is_possible: bool = True
    """Whether a report can page: False without a routing key, or where settings turn it off."""


def facts_block(
    calls: Sequence[CallRecord], tools: Sequence[ToolSpec], plan: PagePlan, limit: str | None = None
) -> list[str]:
    """Return the facts as Markdown lines. ``limit``: the sentence of the limit that ended the run, if one did."""
    specs = {tool.name: tool for tool in tools}
    known = [(call, specs[call.name]) for call in calls if call.name in specs]
    pages = [call for call, spec in known if spec.pages]
    reads = [call for call, spec in known if spec.effect == "read"]
    others = [call for call, spec in known if not spec.pages and spec.effect != "read"]
    lines = [*_pages(pages, plan), _reads(reads)]
    lines += map(_effect, others[-MAX_LINES:])
    lines += [f"- Cut short: {limit.rstrip('.')}."] if limit else []
    return ["**Recorded by Watchkeeper, not by the model:**", "", *lines]


def _pages(pages: Sequence[CallRecord], plan: PagePlan) -> list[str]:
    lines = [_page(call) for call in pages[-MAX_LINES:]]
    sent = any(call.status == "ok" for call in pages)
    if plan.why is not None:
        team = f" It goes to {plan.team}." if plan.team else ""
        lines.append(f"- A page is sent with this report: {plan.why.rstrip('.')}.{team}")
    elif not sent and not any(call.status in UNCLEAR for call in pages):
        lines.append("- No one was paged.")
    if not plan.is_possible and not sent:
        lines.append(CANNOT_PAGE)
    return lines


def _page(call: CallRecord) -> str:
    if call.status == "ok" and call.page is not None:
        number = f"{call.page.incident}, " if call.page.incident else ""
        return f"- Paged: {call.page.team} ({number}`{call.key}`)."
    if call.status == "ok":
        return f"- Paged: {json_summary(call.arguments)} (`{call.key}`)."
    may_be = "May have paged" if call.status in UNCLEAR else "Not paged"
    return f"- {may_be}: `{call.key}` {call.status}: {excerpt(json_summary(call.finding), WHY_BYTES)}"


def _reads(reads: Sequence[CallRecord]) -> str:
    if not reads:
        return "- Looked at: nothing."
    failed = sum(call.status != "ok" for call in reads)
    listed = ", ".join(
        _read([call for call in reads if call.name == name]) for name in dict.fromkeys(call.name for call in reads)
    )
    return f"- Looked at: {listed}" + (f"; {count(failed, 'call')} of {len(reads)} failed." if failed else ".")


def _read(reads: Sequence[CallRecord]) -> str:
    """Return the name of a tool, with what its calls were about and their number."""
    found = [
        name for call in reads for pair in _TARGET.findall(call.arguments) for name in _STRING.findall("".join(pair))
    ]
    targets = list(dict.fromkeys(found))
    more = [f"{len(targets) - MAX_TARGETS} more"] if len(targets) > MAX_TARGETS else []
    facts = [*targets[:MAX_TARGETS], *more, *([count(len(reads), "call")] if len(reads) > 1 else [])]
    return f"{reads[0].name} ({', '.join(facts)})" if facts else reads[0].name


def _effect(call: CallRecord) -> str:
    named = f"`{call.key}` {call.name} ({excerpt(json_summary(call.arguments), WHY_BYTES)})"
    if call.status in UNCLEAR:
        return f"- Unclear: {named} {CHECK_FIRST}."
    return f"- Done: {named}." if call.status == "ok" else f"- Not done: {named}: {call.status}."
