"""What people did, in words (pure)."""

from __future__ import annotations

from watchkeeper.contracts import LimitChanges
from watchkeeper.run_view.entries import PersonAction
from watchkeeper.text import duration


def action_phrase(act: PersonAction, tool: str = "") -> str:
    """Say what a person did, as it follows their name; ``tool``: the one whose call they decided on."""
    about = f" ({tool})" if tool else ""
    said = f": {act.text}" if act.text else ""
    match act.kind:
        case "tell":
            return f"tells the model{said}"
        case "stop":
            return f"stops the run{said}"
        case "decide":
            return f"{'approves' if act.approved else 'denies'} {act.call}{about}{said}"
        case "extend":
            return f"extends the limits by {_more(act.extended or LimitChanges())}"


def _more(by: LimitChanges) -> str:
    given = by.model_dump(exclude_none=True)
    return ", ".join(f"{_amount(name, value)} {name.replace('_', ' ')}" for name, value in given.items())


def _amount(name: str, value: float) -> str:
    return duration(value) if name == "duration" else f"${value:g}" if name == "cost" else f"{value:,}"
