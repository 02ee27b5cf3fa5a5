"""Every type that crosses a Temporal boundary.

What is recorded in a history is read again by every later version, so two rules hold here, and a test
freezes the JSON schema of each type:

* a new field is optional, and absent means what the code did before the field existed;
* a default is only ever the neutral "absent" (``None``, empty, ``False``), never a policy: absent fields are not
  recorded (see ``watchkeeper.temporal``), so a default that means something would change recorded runs.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object as a vendor or a model sent it; its values are whatever JSON allows."""

Digest = Annotated[str, Field(pattern=r"^[\w-]{22}$")]
"""BLAKE2b-128 in URL-safe base64, which is a third shorter than hexadecimal: each round records seven of them."""


def digest_of(content: bytes) -> Digest:
    """Name a content."""
    return urlsafe_b64encode(blake2b(content, digest_size=16).digest()).decode().rstrip("=")


Destination = Literal["log", "directory", "webhook", "page", "slack", "pagerduty_note"]
"""Where a report is delivered."""

Effect = Literal["read", "keyed", "once"]
"""What running a tool twice does: nothing (``read``), nothing under the same key (``keyed``), harm (``once``)."""

Status = Literal["running", "concluded", "limit_reached", "failed", "stopped"]
"""How a run stands; everything but ``running`` is final."""

CallStatus = Literal["waiting", "running", "ok", "error", "rejected", "denied", "expired", "unknown"]
"""How a tool call stands.

``waiting`` for a person's decision; ``error`` the tool failed; ``rejected`` never run (unknown tool, bad arguments,
over a limit); ``unknown`` a side effect that may or may not have taken place.
"""

Occasion = Literal["test", "no_data", "renotify"]
"""Why an alert fires though nothing new is known to be wrong: someone tries the way, data is missing, a reminder."""


class Recorded(BaseModel):
    """A value as it stands in a history: never changed after it was made."""

    model_config = ConfigDict(frozen=True)


# --- alerts -------------------------------------------------------------------------------------------------------


class Alert(Recorded):
    """One alert as its sender told of it: words of strangers, cleaned and capped, never instructions."""

    source: str = Field(description="Name of the source in the operator's settings.")
    group: str = Field(description="What the source groups by: one living run a group.")
    fingerprint: str = Field(description="Identity of the alert within its source, the same each time it fires.")
    status: Literal["firing", "resolved"]
    title: str = Field(description="One line.")
    episode: str | None = Field(
        default=None,
        description="Names this firing of the fingerprint, the same in each repetition; absent: whichever is open.",
    )
    starts_at: float | None = Field(
        default=None, description="Unix seconds, never later than its arrival; absent: the sender does not say."
    )
    ends_at: float | None = Field(default=None, description="Likewise; absent: not ended, or not said.")
    occasion: Occasion | None = Field(default=None, description="Absent: it fires because something is wrong.")
    description: str = ""
    severity: str | None = Field(
        default=None, description="critical, error, warning or info, or the sender's own word in lower case."
    )
    service: str | None = Field(default=None, description="As the sender calls it, which need not be in the catalogue.")
    team: str | None = Field(default=None, description="Likewise.")
    labels: dict[str, str] = Field(default_factory=dict)
    links: dict[str, str] = Field(
        default_factory=dict, description="http(s) addresses by what they lead to, such as runbook; never fetched."
    )


class Notification(Recorded):
    """The argument of the signal ``alert``: what a sender said at once about one group."""

    alerts: list[Alert]
    at: float = Field(description="Unix seconds at which it came.")
    notes: list[str] = Field(default_factory=list, description="What to know besides, such as that some were left out.")
    silence: str | None = Field(default=None, description="Address at which a person can silence what fires of them.")


class Previous(Recorded):
    """The episode of the same group before this one."""

    run: str = Field(description="First execution run id.")
    status: Status
    summary: str = Field(description="Of its report.")
    ended_at: float = Field(description="Unix seconds.")
    began: list[float] = Field(
        default_factory=list, description="When the latest episodes of the group began, in Unix seconds, in order."
    )


class Origin(Recorded):
    """Which group of alerts a run is about."""

    source: str = Field(description="Name of the source in the operator's settings.")
    kind: str = Field(description="What kind of source that is, such as alertmanager.")
    group: str = Field(description="As in each of its alerts.")
    team: str | None = Field(default=None, description="In the catalogue: whose incident this is.")
    previous: Previous | None = None


# --- starting a run -----------------------------------------------------------------------------------------------


class Limits(Recorded):
    """What bounds a run, all of it; recorded by the briefing, raised only by ``extend``."""

    rounds: int = Field(ge=1, description="Completions received.")
    tool_calls: int = Field(ge=0, description="Tool calls run.")
    tokens: int = Field(ge=1, description="Prompt and completion tokens, summed over the rounds.")
    duration: int = Field(ge=1, description="Seconds since the run started; when they are over it has one round left.")
    cost: float | None = Field(default=None, ge=0, description="US dollars; absent: not bounded.")
    failures: int | None = Field(
        default=None, ge=1, description="Rounds in a row in which one and the same call failed; absent: not bounded."
    )


class LimitChanges(Recorded):
    """Some of the limits: what a starter asks for, or by how much a person extends them."""

    rounds: int | None = Field(default=None, ge=1, le=100_000)
    tool_calls: int | None = Field(default=None, ge=1, le=100_000)
    tokens: int | None = Field(default=None, ge=1, le=10**12)
    duration: int | None = Field(default=None, ge=1, le=366 * 86_400, description="Seconds.")
    cost: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="US dollars.")
    failures: int | None = Field(default=None, ge=1, le=100_000)


class ToolChoice(Recorded):
    """How freely the model reaches for tools; ``function`` names the tool when the mode is ``named``."""

    mode: Literal["auto", "none", "required", "named"]
    function: str | None = None


class RunInput(Recorded):
    """The argument of ``IncidentWorkflow``: what happened, in whose words, and what the starter asks for."""

    text: str = Field(min_length=1, max_length=100_000, description="The alert or the question.")
    service: str | None = Field(default=None, max_length=150, description="Name in the operator's service catalogue.")
    severity: str | None = Field(default=None, max_length=150)
    limits: LimitChanges | None = Field(default=None, description="Replaces the configured limits one by one.")
    tool_choice: ToolChoice | None = Field(default=None, description="Absent: auto.")
    origin: Origin | None = Field(default=None, description="Absent: a person started it, not an alert.")
    carried: Carried | None = Field(default=None, description="Set by continue-as-new alone.")


class ToolSpec(Recorded):
    """One tool as the model sees it and as the workflow runs it."""

    name: str
    description: str
    parameters: JsonObject = Field(description="JSON schema of the arguments.")
    effect: Effect
    timeout: float = Field(gt=0, description="Seconds one attempt may take.")
    attempts: int = Field(ge=1, description="Attempts in all, the first one included.")
    approval: float | None = Field(
        default=None, description="Seconds to wait for a person's decision; absent: none needed."
    )


class HistoryBounds(Recorded):
    """When a run that the server suggests to continue as new does so."""

    event_bytes: int = Field(description="About what an event takes beside the message it may hold.")
    carried_bytes: int = Field(description="A conversation up to this size is carried whole.")
    bytes: int = Field(description="Where a history ends even if its conversation must be compacted.")
    events: int = Field(description="Likewise.")


class Turns(Recorded):
    """How runs of one team take turns: so many investigate at once, the others wait."""

    queue: str = Field(description="Name of the queue, after its team.")
    places: int = Field(ge=1, description="Investigations at once.")
    patience: float = Field(gt=0, description="Seconds to wait; then people are told that nobody investigates.")
    priority: int = Field(ge=1, le=5, description="1 goes first.")


class FollowUps(Recorded):
    """How a run that alerts started goes on after its report."""

    window: float = Field(ge=0, description="Seconds for which it stays open while its alerts fire.")
    quiet: float = Field(default=0, description="Seconds for which it stays open after they resolved, as they flap.")
    flapping: int = Field(default=0, description="Which episode of a short time this is, where the group flaps.")
    limits: Limits = Field(description="What each follow-up question may use, beyond what was used before.")
    alerts: int = Field(default=0, description="How often alerts that join the group later are looked into.")
    began: str = Field(description="What the model is told with the alerts that started the run.")
    changed: str = Field(description="Likewise when alerts of the group change.")
    recovered: str = Field(description="Likewise when the last one is over while it investigates.")


class Briefing(Recorded):
    """What ``brief`` decides once per run: the opening words, the tools, the limits."""

    opening: list[JsonObject] = Field(description="The first messages of the conversation, as sent to the model.")
    tools: list[ToolSpec] = Field(description="Sorted by name.")
    catalogue: Digest = Field(description="Digest of the tools as sent to the model.")
    limits: Limits
    model: str = Field(description="Name of the model that is asked first.")
    model_deadline: float = Field(description="Seconds one model call may take.")
    history: HistoryBounds
    window: int | None = Field(
        default=None, description="Tokens at which older rounds give way to a summary; absent: when the model refuses."
    )
    destinations: list[Destination] = Field(description="Where the report goes; the pager only without a conclusion.")
    nudge: str = Field(description="What the model is told after an empty reply.")
    insist: str | None = Field(
        default=None, description="What the model is told when it answers without the tool it was to call."
    )
    conclude: str = Field(description="What the model is told when it has no tools left.")
    turns: Turns | None = Field(default=None, description="Absent: it investigates at once.")
    follow_ups: FollowUps | None = Field(default=None, description="Absent: the run is over with its report.")
    channel: str | None = Field(
        default=None, description="Where one message tells how the run stands; absent: nowhere."
    )
    overdue: float | None = Field(
        default=None, description="Seconds after which people are paged for a report that no destination has taken."
    )


# --- taking turns -------------------------------------------------------------------------------------------------


class Entrant(Recorded):
    """The argument of the signal ``enter``: a run that wants to investigate. Sent again, it changes nothing."""

    queue: str = Field(description="Name of the queue.")
    run: str = Field(description="First execution run id.")
    workflow_id: str
    priority: int = Field(ge=1, le=5, description="1 goes first.")
    at: float = Field(description="Unix seconds since when it waits.")
    sent: float = Field(description="Unix seconds at which it said so, this time.")
    places: int = Field(ge=1, description="How many may investigate at once; the latest who enters counts.")


class Leaving(Recorded):
    """The argument of the signal ``leave``: a run that neither waits nor investigates any more."""

    queue: str = Field(description="Name of the queue.")
    run: str = Field(description="First execution run id.")
    at: float = Field(description="Unix seconds; what it sent before then is out of date.")


class Queue(Recorded):
    """The argument of ``QueueWorkflow``, and what its query ``queued`` answers: who takes turns at one queue."""

    name: str
    places: int = Field(default=0, description="Absent: nobody entered yet.")
    holding: list[Entrant] = Field(default_factory=list, description="Who may investigate, in the order of admission.")
    waiting: list[Entrant] = Field(default_factory=list, description="In the order in which they will be admitted.")
    left: list[Leaving] = Field(default_factory=list, description="The latest who left, as signals can be overtaken.")


# --- asking the model ---------------------------------------------------------------------------------------------


class ReplyRef(Recorded):
    """A model reply, by the digest of its message."""

    model_config = ConfigDict(extra="forbid")
    reply: Digest


class ResultRef(Recorded):
    """The result of the next unanswered call of the last reply, by the digest of its content."""

    model_config = ConfigDict(extra="forbid")
    result: Digest


class Words(Recorded):
    """Words that no activity result holds: a person's, or the workflow's own.

    With the role ``tool`` they answer the next unanswered call of the last reply.
    """

    model_config = ConfigDict(extra="forbid")
    role: Literal["user", "tool"]
    content: str


Entry: TypeAlias = ReplyRef | ResultRef | Words


class ModelRequest(Recorded):
    """One question to the model; the conversation is named, not carried."""

    round: int
    base: Digest = Field(description="The conversation that ``append`` extends.")
    append: list[Entry]
    catalogue: Digest
    toolless: bool = Field(default=False, description="The model is offered no tools.")
    tool_choice: ToolChoice | None = Field(default=None, description="Absent: auto.")


class Usage(Recorded):
    """Tokens and money of one completion, or of many summed."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float | None = Field(default=None, description="US dollars; absent when no price is configured.")
    estimated: bool = Field(default=False, description="The host reported nothing usable; counted from bytes.")

    @property
    def tokens(self) -> int:
        """Billable tokens: prompt and completion (cached and reasoning tokens are parts of these)."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        costs = [c for c in (self.cost, other.cost) if c is not None]
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cost=sum(costs) if costs else None,
            estimated=self.estimated or other.estimated,
        )


class Reply(Recorded):
    """A completion, normalised before it is recorded, so that echoing it can never poison the conversation."""

    kind: Literal["final", "tool_calls", "empty"] = Field(description="Decided by the calls present.")
    message: JsonObject = Field(description="The assistant message as it is echoed; unknown fields kept.")
    digest: Digest = Field(description="Of the canonical bytes of the message.")
    usage: Usage
    problems: dict[int, str] = Field(
        default_factory=dict,
        description="Calls that cannot be run, by position: what is wrong, for the model.",
    )
    dropped: int = Field(default=0, description="Calls over the cap, removed from the message.")
    truncated: bool = Field(default=False, description="The host cut the reply at its token limit.")
    finish_reason: str | None = Field(default=None, description="Absent when it is what the kind implies.")
    model: str | None = Field(default=None, description="The model that answered, if not the briefing's.")
    response_id: str | None = None
    trace_id: str | None = Field(default=None, description="The host's request id, for its support.")

    @property
    def text(self) -> str:
        """What the model said in words."""
        content = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def calls(self) -> list[Call]:
        """The tool calls of the message, in order."""
        return [
            Call(name=c["function"]["name"], arguments=c["function"]["arguments"])
            for c in self.message.get("tool_calls", ())
        ]


class Call(Recorded):
    """What the model asked for; the arguments are raw text until the tool's own model parses them."""

    name: str
    arguments: str


class CompactRequest(Recorded):
    """The argument of ``compact``: the conversation whose older rounds give way to a summary."""

    base: Digest
    append: list[Entry]
    keep: float = Field(gt=0, lt=1, description="The part of its bytes that may remain.")


class Compaction(Recorded):
    """What stands in the place of a conversation's older rounds; the rest of it is recorded already."""

    digest: Digest = Field(description="The conversation with the summary in it.")
    summary: str = Field(default="", description="In the user's role, behind the opening.")
    replaced: int = Field(default=0, description="Messages behind the opening that the summary replaces; absent: none.")


# --- running a tool -----------------------------------------------------------------------------------------------


class ToolRequest(Recorded):
    """The argument of every tool activity; the activity's type names the tool, its id the call (r3.0)."""

    run: str = Field(description="First execution run id of the workflow: the same after continue-as-new and reset.")
    arguments: str = Field(description="JSON text, as the model wrote it.")


class ToolResult(Recorded):
    """What the model reads of a call that was run, cleaned and capped."""

    status: Literal["ok", "error", "rejected"] = "ok"
    content: str = Field(description="Compact JSON text.")
    cut: int = Field(default=0, description="Bytes that were cut from the content.")

    @property
    def digest(self) -> Digest:
        """Name of the content; computed, because the content stands beside it in the history."""
        return digest_of(self.content.encode())


class CallRecord(Recorded):
    """One tool call as the run remembers it for its report and for people."""

    key: str
    name: str
    arguments: str
    status: CallStatus
    finding: str = Field(default="", description="The beginning of the result.")


# --- people -------------------------------------------------------------------------------------------------------


class Decision(Recorded):
    """A person's answer to a call that waits for approval."""

    call: str = Field(description="Key of the call, such as r3.0.")
    approved: bool
    by: str = ""
    note: str = ""


class Tell(Recorded):
    """Words of a person to the model, read at the next round."""

    text: str
    by: str = ""


class Stop(Recorded):
    """A person ends the run; its hand-off report is delivered all the same."""

    reason: str = ""
    by: str = ""


class Extension(Recorded):
    """By how much to raise the limits of a run."""

    by: LimitChanges
    who: str = Field(default="", description="The person who extends it.")


class Progress(Recorded):
    """What the query ``progress`` answers: how the run stands right now."""

    status: Status
    phase: str = Field(description="What the run is doing, in a few words.")
    round: int
    calls: list[CallRecord]
    usage: Usage
    limits: Limits | None = Field(default=None, description="Absent until the run is briefed.")
    report: Report | None = None


class Glance(Recorded):
    """The memo ``now`` of a run: how it stands, for who looks when no worker is alive."""

    doing: str = Field(description="In a few words.")
    used: str = Field(description="Of its limits.")
    waits_for: str | None = Field(default=None, description="Whom, and for what.")
    answer: str | None = Field(default=None, description="The command that answers it.")
    found: list[str] = Field(default_factory=list, description="The beginning of what its latest calls gave.")
    report: str | None = Field(default=None, description="Its beginning, in Markdown.")


# --- ending a run -------------------------------------------------------------------------------------------------


class Evidence(Recorded):
    """A call whose result the report rests on."""

    call: str
    tool: str
    arguments: str
    finding: str


class Report(Recorded):
    """What people read: the model's words when it concluded, else what was recorded."""

    summary: str = Field(description="One line.")
    body: str = Field(description="Markdown.")
    evidence: list[Evidence] = Field(default_factory=list)


class AlertState(Recorded):
    """An alert as a run knows it."""

    fingerprint: str
    status: Literal["firing", "resolved"]
    title: str
    severity: str | None = None
    episode: str | None = Field(default=None, description="Of its latest firing.")
    starts_at: float | None = Field(default=None, description="Of its latest firing, in Unix seconds.")
    ends_at: float | None = Field(default=None, description="When that was over.")
    again: int = Field(default=0, description="How often it fired again within this run.")


class Message(Recorded):
    """The message that tells a run in a channel, as its host names it."""

    channel: str
    ts: str


class Announcement(Recorded):
    """The argument of ``announce``: how a run stands, for the one message that tells it."""

    run: str = Field(description="First execution run id.")
    workflow_id: str
    channel: str
    title: str = Field(description="What it is about, one line.")
    phase: str = Field(description="What it is doing, in a few words.")
    status: Status
    service: str | None = None
    severity: str | None = None
    reason: str | None = None
    summary: str | None = Field(default=None, description="Of its report, once there is one.")
    waiting: list[CallRecord] = Field(default_factory=list, description="Calls that wait for a person.")
    alerts: list[AlertState] = Field(default_factory=list)
    silence: str | None = Field(default=None, description="Address at which a person can silence the group.")
    message: Message | None = Field(default=None, description="Absent: it is not posted yet.")


class Delivery(Recorded):
    """The argument of ``deliver``: one report to one destination."""

    destination: Destination
    run: str = Field(description="First execution run id.")
    workflow_id: str
    status: Status
    report: Report
    reason: str | None = None
    service: str | None = None
    severity: str | None = None
    origin: Origin | None = None
    alerts: list[AlertState] = Field(default_factory=list)
    follow_up: int = Field(default=0, description="Which follow-up this answers, from 1; absent: it is the report.")
    question: str | None = Field(default=None, description="What that follow-up asked.")
    began: float | None = Field(default=None, description="Unix seconds at which the follow-up began; absent: unknown.")
    message: Message | None = Field(default=None, description="The message whose thread it belongs to.")
    last_resort: bool = Field(default=False, description="No destination has taken it: page, whatever else is set.")

    @property
    def part(self) -> str:
        """Name it among the deliveries of its run, the same in every attempt."""
        return f"follow-up-{self.follow_up}" if self.follow_up else "report"


class RunResult(Recorded):
    """The result of a run, and the detail of the error of one that a limit or a failure ended."""

    status: Status
    report: Report
    rounds: int
    tool_calls: int
    usage: Usage
    limits: Limits | None = None
    reason: str | None = Field(default=None, description="Why it did not conclude.")
    undelivered: list[str] = Field(default_factory=list, description="Destinations without the report, and why.")


class Remembered(Recorded):
    """The memo ``episode`` of a run: what those who read of its group's next alerts must know of it."""

    status: Status
    summary: str = Field(description="Of its report.")
    began: list[float] = Field(description="When the latest episodes of the group began, this one last; Unix seconds.")
    marks: list[str] = Field(description="The firings it has dealt with.")


# --- continue-as-new ----------------------------------------------------------------------------------------------


class Reported(Recorded):
    """What a run that stays open after its report takes along."""

    report: Report
    at: float = Field(description="When it was reported, in Unix seconds.")
    question: str | None = Field(default=None, description="The follow-up that is being answered.")
    follow_ups: int = Field(default=0, description="How many there were, this one included.")
    looked: int = Field(default=0, description="How many of them alerts asked for that joined.")
    undelivered: list[str] = Field(default_factory=list)


class CarryRequest(Recorded):
    """The argument of ``carry``: the conversation to take into the next execution of the run."""

    base: Digest
    append: list[Entry]


class CarriedConversation(Recorded):
    """A conversation whole, older rounds replaced by a summary where it was too large to carry."""

    messages: list[JsonObject]
    digest: Digest
    compacted: int = Field(default=0, description="Messages that the summary replaces.")


class Spent(Recorded):
    """What a run has used of its limits."""

    rounds: int = 0
    tool_calls: int = 0
    usage: Usage = Field(default_factory=Usage)
    failing: dict[Digest, int] = Field(
        default_factory=dict, description="How often in a row a call has failed, by what was asked; the latest last."
    )


class Carried(Recorded):
    """The state of a run that continues as new, at a round boundary."""

    briefing: Briefing = Field(description="Its opening is empty: the conversation begins with it.")
    conversation: CarriedConversation
    limits: Limits
    spent: Spent
    started_at: float = Field(description="Unix seconds at which the run began.")
    calls: list[CallRecord] = Field(default_factory=list)
    words: list[str] = Field(default_factory=list, description="People's words not yet put to the model.")
    nudged: bool = False
    acts: list[str] = Field(default_factory=list, description="Ids of people's latest acts: each is taken once.")
    alerts: list[AlertState] = Field(default_factory=list)
    unread: list[Alert] = Field(default_factory=list, description="Changes of alerts not yet put to the model.")
    notes: list[str] = Field(default_factory=list, description="What senders said besides, likewise.")
    silence: str | None = Field(default=None, description="Address at which a person can silence the group.")
    message: Message | None = None
    reported: Reported | None = Field(default=None, description="Absent: it still investigates.")


for _model in (RunInput, Reply, Progress, Delivery, RunResult):
    _model.model_rebuild()
