"""The state of a run: what continue-as-new carries over, and what belongs to one execution alone."""

from __future__ import annotations

from temporalio import workflow

from workflows.outcome import Outcome
from workflows.tool_calls import ToolCalls

with workflow.unsafe.imports_passed_through():
    from watchkeeper.alerts.severity import worst_severity
    from watchkeeper.contracts import (
        Alert,
        AlertNotification,
        Briefing,
        BudgetUsed,
        CarriedConversation,
        CarriedState,
        FollowUpState,
        Incident,
        JsonObject,
        PostedMessage,
        Report,
        RunInput,
        RunStatus,
        StopRequest,
    )
    from watchkeeper.incident import alert_text
    from watchkeeper.incident.budget import Budget
    from watchkeeper.incident.episode import Episode
    from watchkeeper.incident.page_gate import PageGate
    from watchkeeper.incident.status_text import StatusFacts
    from watchkeeper.llm.conversation import Conversation
    from watchkeeper.temporal.search_attributes import Phase
    from watchkeeper.text import excerpt

MAX_NOTES = 20
"""How many notes of alert senders a run keeps until the model reads them."""

MAX_TOLD = 20
TOLD_BYTES = 1_000
"""How many messages to the model a run remembers, and how much of each, in case the history with them is deleted."""


class RunState:
    """What a run knows. Its parts share one instance; ``IncidentWorkflow`` makes it."""

    def __init__(self, run_input: RunInput) -> None:
        self.input = run_input

        # Carried through continue-as-new: `from_input` reads it, `to_carried` writes it.
        self.briefing: Briefing | None = None
        self.conversation: Conversation | None = None
        self.budget: Budget | None = None
        self.tool_calls = ToolCalls()
        self.unread_texts: list[str] = []
        """Messages for the model, from people or from the run itself, that no request has carried yet."""
        self.told: list[str] = []
        """The latest such messages that the model has read."""
        self.nudged = False
        """The last reply was empty, and the model was asked again."""
        self.corrected = False
        """The model has read once what is wrong with its answer."""
        self.draft_answer = ""
        """A conclusion that the model gave before it read the latest messages: used if it gives no other."""
        self.window_fill = 0
        """Tokens of the last request and reply."""
        self.recent_updates: list[str] = []
        """Ids of the latest updates, each of which is applied once."""
        previous = run_input.origin.previous if run_input.origin else None
        self.episode = Episode(messages=previous.messages if previous else ())
        self.notes: list[str] = []
        self.silence_url: str | None = None
        self.alert_links: dict[str, str] = {}
        """Links of the worst alert, for pages."""
        self.posted_message: PostedMessage | None = None
        self.alert_looks = 0
        """How often alerts alone kept the investigation open or reopened it."""
        self.follow_up: FollowUpState | None = None
        """Set once the report is written and the run stays open."""

        # Of this execution alone.
        self.phase: Phase = "starting"
        self.activity = "starting"
        """What the run is doing, in short."""
        self.alert_changes = 0
        """How many notifications changed the episode."""
        self.updates = 0
        """How many updates of people the run has accepted."""
        self.stop_request: StopRequest | None = None
        self.outcome: Outcome | None = None
        """How the first investigation ended."""
        self.report: Report | None = None
        self.closed = False
        """Nothing more can be asked of the run."""

    @classmethod
    def from_input(cls, run_input: RunInput) -> RunState:
        """Return the state of a new run, or the one that an earlier execution carried over."""
        state = cls(run_input)
        carried = run_input.carried
        if carried is None:
            return state
        state.briefing = carried.briefing
        state.conversation = Conversation(carried.conversation.digest)
        carried.conversation.messages.clear()  # activities read them from the history; here they only take memory
        state.budget = Budget(carried.limits, carried.spent, carried.started_at)
        state.tool_calls = ToolCalls(carried.calls)
        state.unread_texts = list(carried.words)
        state.told = list(carried.told)
        state.nudged = carried.nudged
        state.corrected = carried.corrected
        state.draft_answer = carried.draft_answer
        state.window_fill = carried.window_fill
        state.recent_updates = list(carried.acts)
        state.episode = Episode(carried.alerts, carried.unread, carried.compact, carried.unlisted, carried.messages)
        state.notes = list(carried.notes)
        state.silence_url = carried.silence
        state.alert_links = dict(carried.links)
        state.posted_message = carried.message
        state.alert_looks = carried.reported.looked if carried.reported else carried.alert_looks
        state.follow_up = carried.reported
        if carried.reported is not None:
            state.outcome, state.report = Outcome("concluded"), carried.reported.report
            state.episode.take_joined(carried.reported.noticed)
        return state

    def to_carried(self, conversation: CarriedConversation, opening: list[JsonObject]) -> CarriedState:
        """Return what the next execution needs. ``opening`` are the first messages of the conversation."""
        briefing, _, budget = self.briefed()
        follow_up = self.follow_up and self.follow_up.model_copy(
            update={"looked": self.alert_looks, "noticed": self._noticed(self.follow_up)}
        )
        carried = CarriedState(
            briefing=briefing.model_copy(update={"opening": opening if conversation.execution else []}),
            conversation=conversation,
            limits=budget.limits,
            spent=budget.spent,
            started_at=budget.started_at,
            calls=self.tool_calls.carried_records(),
            nudged=self.nudged,
        )
        optional = {
            "words": self.unread_texts,
            "told": self.told,
            "corrected": self.corrected,
            "draft_answer": self.draft_answer,
            "window_fill": 0 if conversation.compacted else self.window_fill,
            "acts": self.recent_updates,
            "alerts": self.episode.titled,
            "compact": self.episode.compact,
            "unlisted": self.episode.unlisted,
            "unread": self.episode.unread,
            "messages": self.episode.messages,
            "notes": self.notes,
            "silence": self.silence_url,
            "links": self.alert_links,
            "message": self.posted_message,
            "alert_looks": 0 if follow_up else self.alert_looks,
            "reported": follow_up,
        }
        return carried.model_copy(update={name: value for name, value in optional.items() if value})

    def _noticed(self, follow_up: FollowUpState) -> list[str]:
        """Return the alerts that a notice was about and that have not joined again since."""
        joined = dict.fromkeys(alert.fingerprint for alert in self.episode.joined_alerts)
        return [fingerprint for fingerprint in follow_up.noticed if fingerprint not in joined]

    def briefed(self) -> tuple[Briefing, Conversation, Budget]:
        """Return what the briefing has set. Only for a run that has been briefed."""
        assert self.briefing is not None and self.conversation is not None and self.budget is not None, "not briefed"
        return self.briefing, self.conversation, self.budget

    def take_notification(self, notification: AlertNotification, *, in_order: bool = True) -> bool:
        """Record what a sender reports of the group; True if it changes the episode.

        ``in_order=False`` is for runs that began before an end belonged to a firing.
        """
        self.silence_url = notification.silence or self.silence_url
        before = self._severity()
        changed = self.episode.apply(notification, in_order=in_order)
        if in_order and (older := self.episode.older_ends):
            self.notes = [*self.notes, *map(alert_text.older_end, older)][-MAX_NOTES:]
        if not changed:
            return False
        linked = [alert for alert in notification.alerts if alert.status == "firing" and alert.links]
        worst = worst_severity(*(alert.severity for alert in linked))
        if linked and (not self.alert_links or worst_severity(worst, before) != before):
            self.alert_links = next(alert.links for alert in linked if worst_severity(alert.severity) == worst)
        self.notes = [*self.notes, *notification.notes][-MAX_NOTES:]
        self.alert_changes += 1
        return True

    def remember_told(self, texts: list[str]) -> None:
        """Keep messages that a request sends to the model."""
        self.told = [*self.told, *(excerpt(text, TOLD_BYTES) for text in texts[-MAX_TOLD:])][-MAX_TOLD:]

    def read_alerts(self) -> tuple[list[Alert], list[str]]:
        """Return the unread changes of alerts and the senders' notes, and count both as read."""
        notes, self.notes = self.notes, []
        if self.follow_up is not None:
            read = dict.fromkeys([*self.follow_up.joined, *(one.fingerprint for one in self.episode.joined_alerts)])
            self.follow_up = self.follow_up.model_copy(update={"joined": list(read), "noticed": []})
        return self.episode.take_unread(), notes

    def incident(self) -> Incident | None:
        """Return what a page says first, as it is known now; None if the run was briefed without rules for pages."""
        rules = self.briefing.pages if self.briefing else None
        if rules is None:
            return None
        silence = {"silence": self.silence_url} if self.silence_url else {}
        known = {"severity": self._severity(), "links": {**rules.incident.links, **self.alert_links, **silence}}
        return rules.incident.model_copy(update={name: value for name, value in known.items() if value})

    def page_gate(self) -> PageGate | None:
        """Return the rules for pages with the incident as it is now; None in the same way."""
        incident, briefing, choice = self.incident(), self.briefing, self.input.tool_choice
        if incident is None or briefing is None or briefing.pages is None:
            return None
        return PageGate(
            briefing.pages.model_copy(update={"incident": incident}),
            reads=tuple(spec.name for spec in briefing.tools if spec.effect == "read"),
            forced=choice.function if choice is not None and choice.mode == "named" else None,
        )

    def _severity(self) -> str | None:
        """Return the severity of the worst alert that fires, otherwise that with which the run started."""
        firing = [state.severity for state in self.episode.states if state.status == "firing"]
        return worst_severity(*firing) or self.input.severity

    @property
    def status(self) -> RunStatus:
        """The status of the run; ``running`` until its first investigation has ended."""
        return self.outcome.status if self.outcome else "running"

    @property
    def used(self) -> BudgetUsed:
        """What the run has used of its limits."""
        return self.budget.spent if self.budget else BudgetUsed()

    def view(self) -> StatusFacts:
        """Return the run as status texts describe it."""
        return StatusFacts(
            workflow_id=workflow.info().workflow_id,
            doing=self.activity,
            status=self.status,
            reason=self.outcome.reason if self.outcome else None,
            limits=self.budget.limits if self.budget else None,
            spent=self.used,
            calls=self.tool_calls.records,
            alerts=self.episode.states,
            report=self.report,
        )
