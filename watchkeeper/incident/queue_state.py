"""The state of a queue: a limited number of slots, given by priority, then by waiting time (pure)."""

from __future__ import annotations

import re

from watchkeeper.contracts import QueueEntry, QueueExit, QueueState, digest_of

ID_NAME_LENGTH = 40
"""Characters of a queue's name in its workflow id."""

EXITS_REMEMBERED = 100
"""How many runs that left are remembered, to ignore a late ``enter``. Signals are late by seconds only."""

ENTRIES_SHOWN = 50
"""How many waiting runs the details of a queue show."""


QUEUE_PREFIX = "queue-"
"""Beginning of the workflow id of a queue."""


def queue_id(name: str, task_queue: str) -> str:
    """Return the workflow id of a queue, such as ``queue-checkout@watchkeeper``. Each task queue has its own queues."""
    return f"{QUEUE_PREFIX}{_id_part(name)}@{_id_part(task_queue)}"


def _id_part(name: str) -> str:
    """Return a name as part of an id; a name that is long or has other characters gets a digest."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:ID_NAME_LENGTH]
    return plain if plain == name else f"{plain}~{digest_of(name.encode())[:10]}"


class TurnQueue:
    """The state of a queue. Signals may be repeated, late or out of order: the latest of each run counts."""

    def __init__(self, queue: QueueState) -> None:
        self._name = queue.name
        self._places = queue.places
        self._holding = {entrant.run: entrant for entrant in queue.holding}
        self._waiting = {entrant.run: entrant for entrant in queue.waiting}
        self._left = {leaving.run: leaving for leaving in queue.left}
        self._again: list[QueueEntry] = []

    @property
    def state(self) -> QueueState:
        """The state as a contract."""
        return QueueState(
            name=self._name,
            places=self._places,
            holding=list(self._holding.values()),
            waiting=sorted(self._waiting.values(), key=_order),
            left=list(self._left.values()),
        )

    @property
    def is_empty(self) -> bool:
        """Whether no run holds a slot or waits for one."""
        return not self._holding and not self._waiting

    @property
    def is_full(self) -> bool:
        """Whether a run waits and no slot is free."""
        return bool(self._waiting) and len(self._holding) >= self._places

    @property
    def is_due(self) -> bool:
        """Whether ``admit`` would return a run."""
        return bool(self._again) or (bool(self._waiting) and not self.is_full)

    def enter(self, entrant: QueueEntry) -> None:
        """Add a waiting run. A run that already holds a slot is admitted again, as a reset may have lost the signal.

        Only a new run sets the number of slots: a repeated signal has an old number.
        """
        departure = self._left.get(entrant.run)
        if departure is not None and entrant.sent <= departure.at:
            return
        if entrant.run in self._holding:
            self._holding[entrant.run] = entrant
            self._again.append(entrant)
        elif entrant.run not in self._waiting:
            self._waiting[entrant.run] = entrant
            self._places = entrant.places

    def leave(self, leaving: QueueExit) -> None:
        """Remove a run, and ignore what it sent before it left."""
        known = self._holding.get(leaving.run) or self._waiting.get(leaving.run)
        if known is not None and known.sent > leaving.at:
            return
        self.drop(leaving.run)
        self._left.pop(leaving.run, None)
        self._left[leaving.run] = leaving
        self._left = dict([*self._left.items()][-EXITS_REMEMBERED:])

    def drop(self, run: str) -> None:
        """Remove a run that has ended."""
        self._holding.pop(run, None)
        self._waiting.pop(run, None)
        self._again = [entrant for entrant in self._again if entrant.run != run]

    def hold(self, run: str) -> None:
        """Give a waiting run a slot, even if none is free."""
        if (entrant := self._waiting.pop(run, None)) is not None:
            self._holding[run] = entrant

    def admit(self) -> list[QueueEntry]:
        """Give the free slots to waiting runs; return all runs that must be signalled that they hold one."""
        free = max(0, self._places - len(self._holding))
        admitted = sorted(self._waiting.values(), key=_order)[:free]
        for entrant in admitted:
            self.hold(entrant.run)
        again, self._again = self._again, []
        return [*again, *admitted]


def describe_queue(queue: QueueState) -> str:
    """Describe in Markdown which runs hold a slot and which wait, in order."""
    taken, waiting = len(queue.holding), queue.waiting
    lines = [f"**{taken} of {queue.places} slots taken, {len(waiting)} waiting**", ""]
    lines += [f"- {_entry_text(entrant)} investigates" for entrant in queue.holding]
    lines += [f"{place}. {_entry_text(entrant)} waits" for place, entrant in enumerate(waiting[:ENTRIES_SHOWN], 1)]
    if len(waiting) > ENTRIES_SHOWN:
        lines.append(f"\nand {len(waiting) - ENTRIES_SHOWN} more")
    return "\n".join(lines)


def _order(entrant: QueueEntry) -> tuple[int, float]:
    return entrant.priority, entrant.at


def _entry_text(entrant: QueueEntry) -> str:
    return f"{entrant.workflow_id} (priority {entrant.priority})"
