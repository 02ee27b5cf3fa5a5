"""The facts that code writes under every report: who was paged, what was read and done, what cut it short (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.contracts import CallRecord, ToolSpec
from watchkeeper.incident.phrases import CHECK_FIRST
from watchkeeper.text import count, excerpt, json_summary

MAX_LINES = 20
"""Most pages, and most changes, that are listed; the latest ones."""

WHY_BYTES = 300


@dataclass(frozen=True)
class PagePlan:
    """Whether a page goes out with the report."""

    why: str | None = None
    """Why people are paged with it; None: they are not."""
    is_possible: bool = True
    """Whether any page can be sent: False without a routing key."""


def facts_block(
    calls: Sequence[CallRecord], tools: Sequence[ToolSpec], plan: PagePlan, limit: str | None = None
) -> list[str]:
    """Return the facts as Markdown lines. ``limit``: the sentence of the limit that ended the run, if one did."""
    specs = {tool.name: tool for tool in tools}
    pages = [call for call in calls if call.name in specs and specs[call.name].pages]
    reads = [call for call in calls if call.name in specs and specs[call.name].effect == "read"]
    others = [call for call in calls if call.name in specs and call not in pages and call not in reads]
    lines = [*_pages(pages, plan), _reads(reads)]
    lines += map(_effect, others[-MAX_LINES:])
    lines += [f"- Cut short: {limit.rstrip('.')}."] if limit else []
    return ["**Recorded by Watchkeeper, not by the model:**", "", *lines]


def _pages(pages: Sequence[CallRecord], plan: PagePlan) -> list[str]:
    lines = [_page(call) for call in pages[-MAX_LINES:]]
    sent = any(call.status == "ok" for call in pages)
    if plan.why is not None:
        lines.append(f"- A page is sent with this report: {plan.why.rstrip('.')}.")
    elif not sent:
        lines.append("- No one was paged.")
    if not plan.is_possible and not sent:
        lines.append("- No page can be sent: no PagerDuty routing key is set.")
    return lines


def _page(call: CallRecord) -> str:
    if call.status == "ok" and call.page is not None:
        number = f"{call.page.incident}, " if call.page.incident else ""
        return f"- Paged: {call.page.team} ({number}`{call.key}`)."
    if call.status == "ok":
        return f"- Paged: {json_summary(call.arguments)} (`{call.key}`)."
    may_be = "May have paged" if call.status in ("unknown", "running") else "Not paged"
    return f"- {may_be}: `{call.key}` {call.status}: {excerpt(json_summary(call.finding), WHY_BYTES)}"


def _reads(reads: Sequence[CallRecord]) -> str:
    if not reads:
        return "- Looked at: nothing."
    names = Counter(call.name for call in reads)
    failed = sum(call.status != "ok" for call in reads)
    listed = ", ".join(f"{name} ({times})" if times > 1 else name for name, times in names.items())
    return f"- Looked at: {listed}" + (f"; {count(failed, 'call')} of {len(reads)} failed." if failed else ".")


def _effect(call: CallRecord) -> str:
    named = f"`{call.key}` {call.name} ({excerpt(json_summary(call.arguments), WHY_BYTES)})"
    match call.status:
        case "ok":
            return f"- Done: {named}."
        case "unknown" | "running":
            return f"- Unclear: {named} {CHECK_FIRST}."
        case status:
            return f"- Not done: {named}: {status}."
