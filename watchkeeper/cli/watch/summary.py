"""How a run ended, in lines: its report, why it is over, and what it took."""

from __future__ import annotations

from rich.text import Text

from watchkeeper.cli.watch.layout import LineWriter
from watchkeeper.console import clock
from watchkeeper.run_view.entries import FollowUp
from watchkeeper.run_view.json_view import seconds
from watchkeeper.run_view.model import RunView
from watchkeeper.text import count, duration, one_line


def write_ending(page: LineWriter, view: RunView) -> None:
    """Write the report of a run that is over or reported, and one line each on how it ended and what it took."""
    if view.report is not None:
        page.line(Text())
        page.markdown("report", view.report.body)
    style = {"concluded": "bold green", "stopped": "bold yellow"}.get(view.status, "bold red")
    status, reason = view.status.replace("_", " "), one_line(view.reason or "", 1_000)
    said = reason.removeprefix(status)
    because = said if said != reason else f": {reason}" if reason else ""
    page.line(Text.assemble((status, style), because), wrap=True)
    page.line(Text(" · ".join(_facts(view)), "dim"), wrap=True)
    if view.is_open:
        ask = f'watchkeeper tell {view.workflow_id} "..."'
        page.line(Text(f"It stays open until its alerts resolve; ask more: {ask}", "dim"), wrap=True)


def write_answer(page: LineWriter, view: RunView, told: FollowUp) -> None:
    """Write the answer to a follow-up, and what the run has taken with it."""
    page.line(Text())
    page.markdown(f"follow-up {told.number}", told.report.body)
    page.line(Text(" · ".join(_facts(view)), "dim"), wrap=True)


def write_closing(page: LineWriter, view: RunView) -> None:
    """Write when a run is over that was reported before."""
    closed = f" {clock(view.closed_at)}" if view.closed_at else ""
    page.line(Text(f"closed{closed}", "dim"))


def _facts(view: RunView) -> list[str]:
    took, usage = seconds(view.started_at, view.closed_at), view.usage
    facts = [count(view.rounds_completed, "round"), count(len(view.calls), "call")]
    facts += [duration(took)] if took is not None else []
    cached = f" ({usage.cached_tokens / usage.prompt_tokens:.0%} of the prompts cached)" if usage.cached_tokens else ""
    facts.append(f"{'about ' if usage.estimated else ''}{count(usage.tokens, 'token')}{cached}")
    facts += [f"${usage.cost:.4f}"] if usage.cost is not None else []
    return facts
