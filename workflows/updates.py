"""Updates: what people do to a run. A wrong update is rejected to the person who sent it, and each is applied once."""

from __future__ import annotations

from temporalio import workflow

from workflows.state import RunState

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import Decision, ExtendRequest, StopRequest, TellRequest
    from watchkeeper.llm.conversation import canonical_json

TELL_CHARACTERS = 8_000
UNREAD_BYTES = 256 * 1024
"""All unread messages together, as they are recorded: they travel in one request, whose size Temporal limits."""

UNREAD_MESSAGES = 100
"""How many messages wait for the next round."""

MOST_UPDATES = 1_500
"""Accepted updates after which an execution takes no message and raises no limit: Temporal allows 2,000, and the rest
is for decisions and stops. ``workflows/continue_as_new.py`` begins the next execution before that, at a round's end."""

MAX_RECENT = 100
"""How many update ids a run remembers, the latest ones."""

HIGHEST_COST = 10**9
"""US dollars."""

REMARK_CHARACTERS = 2_000
NAME_CHARACTERS = 200


def is_first(state: RunState) -> bool:
    """Remember the present update; False if the run applied it before.

    A client that got no answer sends its update again under the same id, and Temporal knows the id only in the present
    execution.
    """
    state.updates += 1
    if _is_repeated(state):
        return False
    state.recent_updates = [*state.recent_updates[1 - MAX_RECENT :], _update_id()]
    return True


def check_tell(state: RunState, tell: TellRequest) -> None:
    """Raise ValueError, for its author, if the message cannot be sent to the model."""
    if _is_repeated(state):
        return
    _check_open(state)
    if not tell.text.strip():
        raise ValueError("nothing to tell: the text is empty")
    if len(tell.text) > TELL_CHARACTERS:
        raise ValueError(f"{len(tell.text):,} characters are too many to tell at once; at most {TELL_CHARACTERS:,}")
    _check_length("by", tell.by, NAME_CHARACTERS)
    _check_number(state)
    waiting = canonical_json([*state.unread_texts, tell.by, tell.text])
    if len(state.unread_texts) >= UNREAD_MESSAGES or len(waiting) > UNREAD_BYTES:
        raise ValueError(f"{len(state.unread_texts)} messages already wait for the next round; try again after it")


def check_stop(state: RunState, stop: StopRequest) -> None:
    """Raise ValueError, for its author, if the run cannot be stopped."""
    _check_open(state)
    _check_length("by", stop.by, NAME_CHARACTERS)
    _check_length("reason", stop.reason, REMARK_CHARACTERS)


def check_extend(state: RunState, extension: ExtendRequest) -> None:
    """Raise ValueError, for its author, if the limits cannot be raised."""
    if _is_repeated(state):
        return
    _check_open(state)
    if state.budget is None:
        raise ValueError("the run has no briefing yet; try again in a moment")
    if not extension.by.model_dump(exclude_none=True):
        raise ValueError("nothing to extend: name a limit, such as rounds=10")
    _check_length("who", extension.who, NAME_CHARACTERS)
    _check_number(state)
    if extension.by.cost is not None and extension.by.cost + (state.budget.limits.cost or 0) > HIGHEST_COST:
        raise ValueError(f"a limit on cost is at most {HIGHEST_COST:,} dollars")


def check_decide(state: RunState, decision: Decision) -> None:
    """Raise ValueError, for its author, if the decision is wrong or not the first one."""
    if _is_repeated(state):
        return
    _check_open(state)
    _check_length("by", decision.by, NAME_CHARACTERS)
    _check_length("note", decision.note, REMARK_CHARACTERS)
    state.tool_calls.check(decision)


def _is_repeated(state: RunState) -> bool:
    return _update_id() in state.recent_updates


def _update_id() -> str:
    update = workflow.current_update_info()
    assert update is not None, "people act by updates"
    return update.id


def _check_open(state: RunState) -> None:
    if state.closed and state.outcome is not None:
        raise ValueError(f"the run has ended: {state.outcome.status}")
    if state.stop_request is not None:
        raise ValueError("the run is already being stopped")


def _check_number(state: RunState) -> None:
    if state.updates >= MOST_UPDATES:
        raise ValueError(
            f"the run has taken {state.updates:,} messages and changes of its limits since it last continued as new, "
            "and keeps room for decisions; try again after its next round"
        )


def _check_length(name: str, text: str, characters: int) -> None:
    if len(text) > characters:
        raise ValueError(f"{name}: {len(text):,} characters are too many; at most {characters:,}")
