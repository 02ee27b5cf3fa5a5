"""The status of a run in its search attributes and memo, which need no worker to be read."""

from __future__ import annotations

from temporalio import workflow

from workflows.state import RunState

with workflow.unsafe.imports_passed_through():
    from watchkeeper.incident import status_text
    from watchkeeper.incident.budget import Budget
    from watchkeeper.temporal import search_attributes
    from watchkeeper.temporal.search_attributes import Phase

ALWAYS_PUBLISHED_ROUNDS = 3
PUBLISH_SECONDS = 15.0
"""Rounds change the search attributes and the memo during the first rounds, at the start of a follow-up, and then at
most this often. Otherwise the history of a long run of quick rounds would consist of status changes."""


class StatusPublisher:
    """Publishes the status of a run whenever it changes.

    Search attributes and memo can be read when no worker is alive. Each change of them is an event in the history, so
    they follow the rounds and not the calls.
    """

    def __init__(self, state: RunState) -> None:
        self._state = state
        # The execution before this one has set them all. Only this one may have to be removed here.
        carried = state.input.carried is not None
        waiting_for = workflow.info().typed_search_attributes.get(search_attributes.WAITING_FOR) if carried else None
        self._published: dict[str, object] = {search_attributes.WAITING_FOR.name: waiting_for}
        self._published_at = 0.0

    def enter(self, activity: str, phase: Phase | None = None, *, durable: bool = True) -> None:
        """Set what the run is doing, in short, and its phase if that changes."""
        self._state.activity = activity
        self._state.phase = phase or self._state.phase
        if durable:
            self.publish()

    def begin_round(self, number: int, budget: Budget) -> None:
        """Enter a round; it is published durably only if it is due."""
        is_due = (
            self._state.phase != "investigating"
            or number <= ALWAYS_PUBLISHED_ROUNDS
            or workflow.time() - self._published_at >= PUBLISH_SECONDS
        )
        self.enter(f"round {number} of {budget.limits.rounds}: asking the model", "investigating", durable=is_due)

    def publish(self) -> None:
        """Publish the present status."""
        view = self._state.view()
        self._published_at, used = workflow.time(), view.spent
        values: list[tuple[search_attributes.Key, object]] = [
            (search_attributes.PHASE, self._state.phase),
            (search_attributes.OUTCOME, self._state.outcome.status if self._state.outcome else None),
            (search_attributes.WAITING_FOR, self._waiting_for()),
            (search_attributes.ROUNDS, used.rounds),
            (search_attributes.COST_USD, None if used.usage.cost is None else round(used.usage.cost, 6)),
            (search_attributes.UNSUPPORTED_CLAIMS, self._unsupported_claims()),
        ]
        changed = [(key, value) for key, value in values if self._published.get(key.name) != value]
        if changed:
            workflow.upsert_search_attributes(
                [key.value_unset() if value is None else key.value_set(value) for key, value in changed]
            )
            self._published.update({key.name: value for key, value in changed})
        # Always, even if the text is unchanged: otherwise a change of wording would break the replay of open runs.
        workflow.upsert_memo({"now": status_text.status_memo(view)})

    def _unsupported_claims(self) -> int | None:
        """Count the unsupported claims of the report; None before it, and if the briefing demands no check."""
        state = self._state
        is_checked = state.briefing is not None and state.briefing.conclusions is not None
        return len(state.report.unsupported) if is_checked and state.report is not None else None

    def _waiting_for(self) -> search_attributes.WaitingFor | None:
        if self._state.tool_calls.waiting():
            return "approval"
        if self._state.phase == "queued":
            return "turn"
        return "alerts" if self._state.phase == "open" else None
