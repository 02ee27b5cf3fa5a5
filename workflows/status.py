"""How a run stands, where people look: its current details, and what can be read of it without a worker."""

from __future__ import annotations

from temporalio import workflow

from workflows.announcement import Announced

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import BudgetUsed, RunInput
    from watchkeeper.incident import status_text
    from watchkeeper.incident.budget import Budget
    from watchkeeper.temporal import search_attributes
    from watchkeeper.temporal.search_attributes import Phase


ROUNDS = 3
SECONDS = 15.0
"""What a round changes is recorded in the first rounds, so many, where a follow-up begins, and later as often as this:
a long run of quick rounds would else record little but how it stands."""


class Shown(Announced):
    """A run that says how it stands whenever that changes.

    Its search attributes and its memo outlive every worker. Each change of them is an event, so they follow the rounds
    and not the calls.
    """

    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._coarsely: Phase = "starting"
        # All that the execution before this one has set is set here, and this is what may have to be taken back.
        waits_for = (
            workflow.info().typed_search_attributes.get(search_attributes.WAITING_FOR) if given.carried else None
        )
        self._shown: dict[str, object] = {search_attributes.WAITING_FOR.name: waits_for}
        self._recorded_at = 0.0

    def _now(self, doing: str, phase: Phase | None = None, *, lastingly: bool = True) -> None:
        """Say what the run is doing, in a few words and, where it enters one, by its phase."""
        self._phase, self._coarsely = doing, phase or self._coarsely
        self._show(lastingly=lastingly)

    def _begin_round(self, number: int, budget: Budget) -> None:
        doing = f"round {number} of {budget.limits.rounds}: asking the model"
        is_news = self._coarsely != "investigating" or number <= ROUNDS
        self._now(doing, "investigating", lastingly=is_news or workflow.time() - self._recorded_at >= SECONDS)

    def _waiting_changed(self) -> None:
        self._show()
        super()._waiting_changed()

    def _alerts_changed(self) -> None:
        self._show(lastingly=False)
        super()._alerts_changed()

    def _show(self, *, lastingly: bool = True) -> None:
        view = self._view()
        workflow.set_current_details(status_text.current_details(view))
        if lastingly:
            self._record(view)

    def _record(self, view: status_text.StatusFacts) -> None:
        self._recorded_at, spent = workflow.time(), view.spent
        wanted: list[tuple[search_attributes.Key, object]] = [
            (search_attributes.PHASE, self._coarsely),
            (search_attributes.OUTCOME, self._ending.status if self._ending else None),
            (search_attributes.WAITING_FOR, self._awaited()),
            (search_attributes.ROUNDS, spent.rounds),
            (search_attributes.COST_USD, None if spent.usage.cost is None else round(spent.usage.cost, 6)),
        ]
        changed = [(key, value) for key, value in wanted if self._shown.get(key.name) != value]
        if changed:
            workflow.upsert_search_attributes(
                [key.value_unset() if value is None else key.value_set(value) for key, value in changed]
            )
            self._shown.update({key.name: value for key, value in changed})
        # Whatever it says: if the same words were not written again, a change of words would break the replay of runs.
        workflow.upsert_memo({"now": status_text.status_memo(view)})

    def _view(self) -> status_text.StatusFacts:
        budget, ending = self._budget, self._ending
        return status_text.StatusFacts(
            workflow_id=workflow.info().workflow_id,
            doing=self._phase,
            status=ending.status if ending else "running",
            reason=ending.reason if ending else None,
            limits=budget.limits if budget else None,
            spent=budget.spent if budget else BudgetUsed(),
            calls=self._calls.records,
            alerts=self._episode.states,
            report=self._report,
        )

    def _awaited(self) -> search_attributes.Awaited | None:
        if self._calls.waiting():
            return "approval"
        if self._coarsely == "queued":
            return "turn"
        return "alerts" if self._coarsely == "open" else None
