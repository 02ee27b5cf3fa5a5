"""Typical edits of the source: some break open runs, the others do not."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

PARTS = ("workflows", "activities", "watchkeeper")


@dataclass(frozen=True)
class Edit:
    """Replaces texts in a file, each of which must occur once; an empty ``old`` adds a file."""

    file: str
    changes: tuple[tuple[str, str], ...]

    def apply(self, root: Path) -> None:
        """Apply the edit to a copy of the code."""
        path = root / self.file
        text = path.read_text() if path.exists() else ""
        for old, new in self.changes:
            assert (text.count(old) == 1) if old else not path.exists(), (
                f"{self.file} has changed; it must have once: {old}"
            )
            text = text.replace(old, new, 1)
        path.write_text(text)


def edit(file: str, old: str, new: str, *more: tuple[str, str]) -> Edit:
    """Return an edit of one file."""
    return Edit(file, ((old, new), *more))


def copy(to: Path) -> None:
    """Copy the code and its compiled files."""
    for part in PARTS:
        shutil.copytree(ROOT / part, to / part)
    shutil.copy2(ROOT / "worker.py", to)


@dataclass(frozen=True)
class Breaking:
    """An edit, a history that it breaks, and the expected verdict."""

    edit: Edit
    history: str
    kind: str
    event_type: str
    why: str


RUNS = "watchkeeper/contracts/runs.py"
REQUIRED = "is required by this code, and the recording has none"


def required(file: str, before: str) -> Edit:
    """Add a required field in front of another one."""
    return edit(file, before, f"    region: str\n{before}")


TOOL = '''"""The weather."""

from __future__ import annotations

from watchkeeper.tool import Arguments, ToolContext, tool


class GetWeather(Arguments):
    """Arguments of ``get_weather``."""


@tool(effect="read")
async def get_weather(args: GetWeather, context: ToolContext) -> str:
    """Return the weather."""
    return "fair"
'''

BREAKING = {
    "a required field in the input of a run": Breaking(
        required(
            RUNS, '    text: str = Field(min_length=1, max_length=100_000, description="The alert or the question.")\n'
        ),
        *("concluded", "unreadable", "WorkflowExecutionStarted", f"`RunInput.region` {REQUIRED}"),
    ),
    "a required field in an activity result": Breaking(
        required(
            "watchkeeper/contracts/briefing.py",
            '    opening: list[JsonObject] = Field(description="The first messages of the conversation',
        ),
        *("concluded", "unreadable", "ActivityTaskCompleted", f"`Briefing.region` {REQUIRED}"),
    ),
    "a required field in a signal": Breaking(
        required(
            "watchkeeper/contracts/alerts.py", '    at: float = Field(description="Unix seconds at which it came.")\n'
        ),
        *("alert-joined", "unreadable", "WorkflowExecutionSignaled"),
        f"`AlertNotification.region` {REQUIRED}: the signal is dropped",
    ),
    "a required field in a signal of the queue": Breaking(
        required(
            "watchkeeper/contracts/queue.py",
            '    places: int = Field(ge=1, le=1_000_000, description="Slots of the queue',
        ),
        *("queue-full", "unreadable", "WorkflowExecutionSignaled"),
        f"`QueueEntry.region` {REQUIRED}: the signal is dropped",
    ),
    "a required field in a decision": Breaking(
        required(
            "watchkeeper/contracts/people.py", '    call: str = Field(description="Key of the call, such as r3.0.")\n'
        ),
        *("approved", "unreadable", "WorkflowExecutionUpdateAccepted", f"`Decision.region` {REQUIRED}"),
    ),
    "a narrower field": Breaking(
        edit(
            "watchkeeper/contracts/tools.py",
            'Effect = Literal["read", "keyed", "once"]',
            'Effect = Literal["read", "once"]',
        ),
        *("concluded", "unreadable", "ActivityTaskCompleted"),
        "`Briefing.tools.1.effect` cannot be read by this code: Input should be 'read' or 'once'",
    ),
    "a renamed activity": Breaking(
        edit("activities/deliver.py", "@activity.defn\n", '@activity.defn(name="hand_over")\n'),
        *("concluded", "differs", "ActivityTaskScheduled"),
        "the history schedules the activity `deliver` (deliver-log) there, "
        "this code schedules the activity `hand_over` (deliver-log)",
    ),
    "another id of an activity": Breaking(
        edit("workflows/model_call.py", 'activity_id=f"r{request.round}"', 'activity_id=f"ask-{request.round}"'),
        *("concluded", "differs", "ActivityTaskScheduled"),
        "the history schedules the activity `ask` (r1) there, this code schedules the activity `ask` (ask-1)",
    ),
    "reordered awaits": Breaking(
        edit(
            "workflows/tool_calls.py",
            "entries.append(self._record_outcome(key, outcome, cited=briefing.conclusions is not None))",
            "entries.append(_immediately(await self._record_outcome(key, outcome, cited=False)))",
        ),
        *("parallel-calls", "differs", "ActivityTaskScheduled"),
        "the history schedules the activity `look` (r1.1) there, this code does not",
    ),
    "a removed timer": Breaking(
        edit(
            "workflows/tool_calls.py",
            "timeout=timedelta(seconds=left),\n",
            "timeout=None,\n",
        ),
        *("approval-expired", "differs", "TimerStarted", "the history starts a timer there, this code does not"),
    ),
    "a removed activity": Breaking(
        edit(
            "workflows/delivery.py",
            "        destinations: list[Destination] = list(\n",
            "        return []\n        destinations: list[Destination] = list(\n",
        ),
        *("concluded", "differs", "ActivityTaskScheduled"),
        "the history schedules the activity `deliver` (deliver-log) there, this code ",
    ),
    "an added activity": Breaking(
        edit(
            "workflows/incident.py",
            "            state.conversation = Conversation.of(briefing.opening)\n",
            '            await workflow.execute_activity("audit", activity_id="audit", **activity_options.BRIEF)\n'
            "            state.conversation = Conversation.of(briefing.opening)\n",
        ),
        *("concluded", "differs", "UpsertWorkflowSearchAttributes"),
        "the history sets search attributes there, this code schedules the activity `audit` (audit)",
    ),
    "a renamed workflow": Breaking(
        edit("workflows/incident.py", "@workflow.defn(failure", '@workflow.defn(name="Incident", failure'),
        *("concluded", "unknown_workflow", "WorkflowExecutionStarted"),
        "the history is of the workflow `IncidentWorkflow`, this code has DeliveryWorkflow, Incident, QueueWorkflow",
    ),
    "a renamed signal": Breaking(
        edit(
            "workflows/incident.py", "@workflow.signal\n    def admit(", '@workflow.signal(name="go")\n    def admit('
        ),
        *("alert-queued", "differs", "TimerCanceled", "the history cancels a timer there, this code does not"),
    ),
    "a loop without an end": Breaking(
        edit(
            "workflows/incident.py",
            "            state.conversation = Conversation.of(briefing.opening)\n",
            "            while True:\n                pass\n",
        ),
        *("concluded", "stuck", "WorkflowTaskStarted"),
        "this code did not finish its workflow task within two seconds",
    ),
    "an exception in the workflow": Breaking(
        edit(
            "workflows/incident.py",
            "            state.conversation = Conversation.of(briefing.opening)\n",
            '            raise OSError("no disk")\n',
        ),
        *("concluded", "fails", "WorkflowTaskStarted", "this code raises OSError: no disk"),
    ),
}

SAFE = {
    "other timeouts": edit(
        "watchkeeper/temporal/activity_options.py",
        "BRIEF = _options(timedelta(seconds=30)",
        "BRIEF = _options(timedelta(seconds=7)",
    ),
    "another retry policy": edit(
        "watchkeeper/temporal/activity_options.py",
        "maximum_attempts=attempts,",
        "maximum_attempts=attempts + 1, backoff_coefficient=1.5,",
    ),
    "another prompt": edit("watchkeeper/prompts/system.md", "Look before you act", "Think before you act"),
    "another nudge": edit("watchkeeper/prompts/nudge.md", "Call a tool", "Do call a tool"),
    "an optional field in the input of a run": edit(
        RUNS,
        '    text: str = Field(min_length=1, max_length=100_000, description="The alert or the question.")\n',
        '    text: str = Field(min_length=1, max_length=100_000, description="The alert or the question.")\n'
        "    region: str | None = None\n",
    ),
    "an optional field in an activity result": edit(
        "watchkeeper/contracts/tools.py",
        '    content: str = Field(description="Compact JSON text.")\n',
        '    content: str = Field(description="Compact JSON text.")\n    region: str = ""\n',
    ),
    "another argument of an activity": edit(
        "workflows/tool_calls.py",
        "first_execution_run_id, arguments=call.arguments)",
        "first_execution_run_id, arguments='{}')",
    ),
    "a new tool": edit("activities/tools/get_weather.py", "", TOOL),
    "another summary": edit("workflows/incident.py", "prompt, tools and limits of the run", "the setup of the run"),
    "another text in reports": edit("watchkeeper/incident/report.py", "**No conclusion:**", "**Cause unknown:**"),
    "a constant memo": edit(
        "watchkeeper/incident/status_text.py",
        '{"doing": excerpt(harmless(_status(facts)), LINE_BYTES), "used": _used(facts)}',
        '{"doing": "", "used": ""}',
    ),
    "another default limit": edit("watchkeeper/config/settings.py", "Limits(rounds=30,", "Limits(rounds=3,"),
    "a new activity, behind a patch": edit(
        "workflows/incident.py",
        "            state.conversation = Conversation.of(briefing.opening)\n",
        '            if workflow.patched("audit"):\n'
        '                await workflow.execute_activity("audit", activity_id="audit", **activity_options.BRIEF)\n'
        "            state.conversation = Conversation.of(briefing.opening)\n",
    ),
}
"""Open runs continue with each of them."""
