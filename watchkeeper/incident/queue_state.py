"""Who takes turns at a queue: so many at once, the lowest priority number first, then whoever has waited longest."""

from __future__ import annotations

import re

from watchkeeper.contracts import QueueEntry, QueueExit, QueueState, digest_of

ID_NAME_LENGTH = 40
"""Of a queue's name that stand in its workflow id."""

EXITS_REMEMBERED = 100
"""How many who left, the latest, a queue knows: a signal is overtaken by seconds, not by a hundred runs."""

ENTRIES_SHOWN = 50
"""How many of those who wait the details of a queue name."""


def queue_id(name: str, task_queue: str) -> str:
    """Name the workflow of a queue, ``queue-checkout@watchkeeper``: other workers of a namespace have their own."""
    return f"queue-{_id_part(name)}@{_id_part(task_queue)}"


def _id_part(name: str) -> str:
    """Write a name with a digest where it is not plain and short."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:ID_NAME_LENGTH]
    return plain if plain == name else f"{plain}~{digest_of(name.encode())[:10]}"


class TurnQueue:
    """The state of a queue. Acts come again, late or overtaken: of each run, what it said last counts."""

    def __init__(self, queue: QueueState) -> None:
        self._name = queue.name
        self._places = queue.places
        self._holding = {entrant.run: entrant for entrant in queue.holding}
        self._waiting = {entrant.run: entrant for entrant in queue.waiting}
        self._left = {leaving.run: leaving for leaving in queue.left}
        self._again: list[QueueEntry] = []

    @property
    def queue(self) -> QueueState:
        """How it stands."""
        return QueueState(
            name=self._name,
            places=self._places,
            holding=list(self._holding.values()),
            waiting=sorted(self._waiting.values(), key=_order),
            left=list(self._left.values()),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nobody holds a place or waits for one."""
        return not self._holding and not self._waiting

    @property
    def is_full(self) -> bool:
        """Whether somebody waits for another to leave."""
        return bool(self._waiting) and len(self._holding) >= self._places

    @property
    def is_due(self) -> bool:
        """Whether somebody is to be told of a place."""
        return bool(self._again) or (bool(self._waiting) and not self.is_full)

    def enter(self, entrant: QueueEntry) -> None:
        """Let a run wait; one that holds a place is told so again, for it may have lost the answer in a reset.

        Only one that is new says how many places there are: the others repeat what once was true.
        """
        gone = self._left.get(entrant.run)
        if gone is not None and entrant.sent <= gone.at:
            return
        if entrant.run in self._holding:
            self._holding[entrant.run] = entrant
            self._again.append(entrant)
        elif entrant.run not in self._waiting:
            self._waiting[entrant.run] = entrant
            self._places = entrant.places

    def leave(self, leaving: QueueExit) -> None:
        """Forget a run, and what it sent before then."""
        known = self._holding.get(leaving.run) or self._waiting.get(leaving.run)
        if known is not None and known.sent > leaving.at:
            return
        self.drop(leaving.run)
        self._left.pop(leaving.run, None)
        self._left[leaving.run] = leaving
        self._left = dict([*self._left.items()][-EXITS_REMEMBERED:])

    def drop(self, run: str) -> None:
        """Forget a run that is gone."""
        self._holding.pop(run, None)
        self._waiting.pop(run, None)
        self._again = [entrant for entrant in self._again if entrant.run != run]

    def hold(self, run: str) -> None:
        """Give a run that waits a place, whether one is free or not."""
        if (entrant := self._waiting.pop(run, None)) is not None:
            self._holding[run] = entrant

    def admit(self) -> list[QueueEntry]:
        """Give away the free places; return all who are to be told that they hold one."""
        free = max(0, self._places - len(self._holding))
        admitted = sorted(self._waiting.values(), key=_order)[:free]
        for entrant in admitted:
            self.hold(entrant.run)
        again, self._again = self._again, []
        return [*again, *admitted]


def describe_queue(queue: QueueState) -> str:
    """Write in Markdown who holds a place and who waits, in order."""
    taken, waiting = len(queue.holding), queue.waiting
    lines = [f"**{taken} of {queue.places} places taken, {len(waiting)} waiting**", ""]
    lines += [f"- {_entry_text(entrant)} investigates" for entrant in queue.holding]
    lines += [f"{place}. {_entry_text(entrant)} waits" for place, entrant in enumerate(waiting[:ENTRIES_SHOWN], 1)]
    if len(waiting) > ENTRIES_SHOWN:
        lines.append(f"\nand {len(waiting) - ENTRIES_SHOWN} more")
    return "\n".join(lines)


def _order(entrant: QueueEntry) -> tuple[int, float]:
    return entrant.priority, entrant.at


def _entry_text(entrant: QueueEntry) -> str:
    return f"{entrant.workflow_id} (priority {entrant.priority})"
