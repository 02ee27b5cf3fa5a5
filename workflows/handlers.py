"""What people can do to a run, and what they can see of it."""

from __future__ import annotations

from temporalio import workflow

from workflows.outcome import Outcome
from workflows.tool_calls import ToolCalls

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import (
        CallRecord,
        Decision,
        ExtendRequest,
        Limits,
        Report,
        RunInput,
        RunProgress,
        StopRequest,
        TellRequest,
        Usage,
    )
    from watchkeeper.incident.budget import Budget
    from watchkeeper.llm.conversation import canonical

TELL_CHARACTERS = 8_000
WAITING_BYTES = 256 * 1024
"""All words that wait together, as they are recorded: they travel in one request, which Temporal bounds."""

ACTS_REMEMBERED = 100
"""How many acts of people, the latest ones, a run knows again."""

REMARK_CHARACTERS = 2_000
NAME_CHARACTERS = 200


class Attended:
    """The updates and the query of a run. A wrong act is rejected to the person who made it."""

    def __init__(self, given: RunInput) -> None:
        carried = given.carried
        self._given = given
        self._words = list(carried.words) if carried else []
        self._calls = ToolCalls(carried.calls if carried else [], self._waiting_changed)
        self._budget = Budget(carried.limits, carried.spent, carried.started_at) if carried else None
        self._acts = list(carried.acts) if carried else []
        self._stop: StopRequest | None = None
        self._ending: Outcome | None = None
        self._report: Report | None = None
        self._over = False
        self._phase = "starting"
        if carried:
            carried.conversation.messages.clear()  # the activities read them in the history; here they only take memory

    @workflow.update
    def tell(self, tell: TellRequest) -> str:
        """Put words to the model at its next round."""
        if self._is_new():
            self._words.append(f"{tell.by}: {tell.text}" if tell.by else tell.text)
        return "the model reads it in its next round" if self._ending is None else "it is asked as a follow-up"

    @tell.validator
    def _check_tell(self, tell: TellRequest) -> None:
        if self._was_taken():
            return
        self._check_open()
        if not tell.text.strip():
            raise ValueError("nothing to tell: the text is empty")
        if len(tell.text) > TELL_CHARACTERS:
            raise ValueError(f"{len(tell.text):,} characters are too many to tell at once; at most {TELL_CHARACTERS:,}")
        _check_short("by", tell.by, NAME_CHARACTERS)
        if len(canonical([*self._words, tell.by, tell.text])) > WAITING_BYTES:
            raise ValueError(f"{len(self._words)} messages already wait for the next round; try again after it")

    @workflow.update
    def stop(self, stop: StopRequest) -> str:
        """End the run; its hand-off report is delivered."""
        self._stop = stop
        self._calls.close()
        return "the run ends with a hand-off report" if self._ending is None else "the run is closed"

    @stop.validator
    def _check_stop(self, stop: StopRequest) -> None:
        self._check_open()
        _check_short("by", stop.by, NAME_CHARACTERS)
        _check_short("reason", stop.reason, REMARK_CHARACTERS)

    @workflow.update
    def extend(self, extension: ExtendRequest) -> Limits:
        """Raise limits; returns the new ones."""
        if self._budget is None:
            raise ValueError("the run is still being briefed")
        return self._budget.extend(extension.by) if self._is_new() else self._budget.limits

    @extend.validator
    def _check_extend(self, extension: ExtendRequest) -> None:
        if self._was_taken():
            return
        self._check_open()
        if self._budget is None:
            raise ValueError("the run is still being briefed; try again in a moment")
        if not extension.by.model_dump(exclude_none=True):
            raise ValueError("nothing to extend: name a limit, such as rounds=10")
        _check_short("who", extension.who, NAME_CHARACTERS)

    @workflow.update
    def decide(self, decision: Decision) -> str:
        """Approve or deny a call that waits; the first answer counts."""
        if self._is_new():
            self._calls.decide(decision)
        return f"{decision.call} {'approved' if decision.approved else 'denied'}"

    @decide.validator
    def _check_decide(self, decision: Decision) -> None:
        if self._was_taken():
            return
        self._check_open()
        _check_short("by", decision.by, NAME_CHARACTERS)
        _check_short("note", decision.note, REMARK_CHARACTERS)
        self._calls.check(decision)

    @workflow.query
    def progress(self) -> RunProgress:
        """Say how the run stands right now."""
        budget = self._budget
        return RunProgress(
            status=self._ending.status if self._ending else "running",
            phase=self._phase,
            round=budget.spent.rounds if budget else 0,
            calls=self._calls.records,
            usage=budget.spent.usage if budget else Usage(),
            limits=budget.limits if budget else None,
            report=self._report,
        )

    @workflow.query
    def waiting(self) -> list[CallRecord]:
        """Return the calls that wait for a decision."""
        return [record for record in self._calls.records if record.status == "waiting"]

    def _waiting_changed(self) -> None:
        """Hear that a call waits for a person, or does so no more."""

    def _was_taken(self) -> bool:
        """Tell whether the present act was taken before.

        A client that did not hear the answer sends its act again under the same id, and Temporal knows that id in the
        present execution only.
        """
        return _act() in self._acts

    def _is_new(self) -> bool:
        """Remember the present act; False if it was taken before."""
        if self._was_taken():
            return False
        self._acts = [*self._acts[1 - ACTS_REMEMBERED :], _act()]
        return True

    def _check_open(self) -> None:
        if self._over and self._ending is not None:
            raise ValueError(f"the run is over: {self._ending.status}")
        if self._stop is not None:
            raise ValueError("the run is already being stopped")


def _act() -> str:
    update = workflow.current_update_info()
    assert update is not None, "people act by updates"
    return update.id


def _check_short(name: str, text: str, characters: int) -> None:
    if len(text) > characters:
        raise ValueError(f"{name}: {len(text):,} characters are too many; at most {characters:,}")
