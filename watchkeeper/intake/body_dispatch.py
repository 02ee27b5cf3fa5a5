"""Dispatch the groups of each body, and continue where an attempt ended when its sender sends the body again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Protocol, TypeAlias

from temporalio.service import RPCError

from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.source import ParsedPayload, Source
from watchkeeper.runs.dispatch import DispatchResult, RunClosing
from watchkeeper.temporal.client import TemporalError

GROUPS_AT_ONCE = 8
"""Groups of one body that are dispatched at once."""

PROGRESS_SECONDS = 5.0
"""A body of several groups is dispatched further after its sender was answered 503, until Temporal takes none of them
for this long."""

KEPT_SECONDS = 300.0
"""How long the sender of such a body has to send it again. Alertmanager waits at most a minute."""

KEPT_ALERTS = 50_000
"""Alerts of such bodies that are kept at most."""

NOT_ACCEPTED = (RPCError, TimeoutError, RunClosing, TemporalError)
"""Errors after which the sender must send the alerts again."""

DispatchGroup: TypeAlias = Callable[[Source[Any], ParsedPayload, float], Awaitable[Sequence[DispatchResult]]]


class NoteRefused(Protocol):
    """``watchkeeper.intake.refused_alerts.RefusedAlerts.note_group``."""

    async def __call__(self, source: Source[Any], payload: ParsedPayload, *, closing: bool) -> None:
        """Note a group that was not accepted."""


log = logging.getLogger(__name__)


class GroupsNotAccepted(Exception):
    """Temporal has not accepted every group of a body."""

    def __init__(self, results: list[DispatchResult], missing: list[str], cause: Exception | None) -> None:
        """``results``: of the accepted groups; ``missing``: workflow ids of the others; ``cause``: of the first one."""
        super().__init__(f"{len(missing)} of {len(results) + len(missing)} groups are not accepted")
        self.results = results
        self.missing = missing
        self.cause = cause


@dataclass
class Delivery:
    """A body whose groups are being dispatched. Groups are named by the workflow id of their run."""

    source: Source[Any]
    received_at: float
    answer: ParsedPayload
    """The payload without its alerts, except one of each severity."""
    waiting: dict[str, ParsedPayload]
    """Groups that Temporal has not accepted."""
    results: dict[str, Sequence[DispatchResult]] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)
    """The last error of each group that waits and is not being dispatched."""
    slot: AsyncExitStack | None = None
    """Of a body with one group, until its dispatch begins. It needs no task: it never continues after the answer."""
    task: asyncio.Task[None] | None = None
    key: bytes = b""
    last_sent: float = 0.0
    """When its sender sent it last, on the clock of the event loop."""

    @property
    def is_running(self) -> bool:
        """Whether its groups are being dispatched now."""
        return self.task is not None and not self.task.done()

    @property
    def has_several_groups(self) -> bool:
        """Whether it is worth continuing."""
        return len(self.waiting) + len(self.results) > 1

    def all_results(self) -> list[DispatchResult]:
        """Return the results of the accepted groups."""
        return [result for results in self.results.values() for result in results]


class BodyDispatcher:
    """Dispatches bodies. It keeps the results of a body that was not accepted as a whole, for the next attempt."""

    def __init__(self, dispatch: DispatchGroup, note_refused: NoteRefused, progress: float = PROGRESS_SECONDS) -> None:
        """Create a dispatcher.

        Args:
            dispatch: Dispatches one group. It raises one of ``NOT_ACCEPTED`` if Temporal does not accept it.
            note_refused: Notes that the sender of a group is answered 503, in case that it does not send it again.
            progress: Seconds after which a dispatch ends if Temporal takes no group.
        """
        self._progress = progress
        self._dispatch = dispatch
        self._note_refused = note_refused
        self._kept: dict[bytes, Delivery] = {}
        self._latest: dict[str, Delivery] = {}
        """By workflow id: the kept body that dispatched it last. What an older body says of it is out of date."""
        self._tasks = set[asyncio.Task[None]]()

    def find(self, key: bytes) -> Delivery | None:
        """Return the delivery of a body that was sent before and was not accepted as a whole."""
        now = asyncio.get_running_loop().time()
        for kept in list(self._kept.values()):
            if not kept.is_running and kept.last_sent < now - KEPT_SECONDS:
                self._drop(kept)
        if (delivery := self._kept.get(key)) is not None:
            delivery.last_sent = now
        return delivery

    def begin(
        self,
        key: bytes,
        source: Source[Any],
        payload: ParsedPayload,
        groups: Sequence[ParsedPayload],
        received_at: float,
        slot: AsyncExitStack,
    ) -> Delivery:
        """Begin to dispatch a body by its groups. ``slot`` is closed when the dispatch ends."""
        severities = {alert.severity: alert for alert in payload.alerts}
        delivery = Delivery(
            source,
            received_at,
            replace(payload, alerts=list(severities.values())),
            {workflow_id(group.alerts[0]): group for group in groups},
            key=key,
            last_sent=asyncio.get_running_loop().time(),
        )
        if delivery.has_several_groups:
            self._make_room(sum(len(group.alerts) for group in groups))
            self._kept[key] = delivery
        self.resume(delivery, slot)
        return delivery

    def resume(self, delivery: Delivery, slot: AsyncExitStack) -> None:
        """Dispatch the groups that wait. ``slot`` is closed when the dispatch ends."""
        if not delivery.has_several_groups:
            delivery.slot = slot
            return
        delivery.task = task = asyncio.create_task(self._run(delivery, slot))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait(self, delivery: Delivery, seconds: float) -> list[DispatchResult]:
        """Return the results once every group is accepted.

        Raises GroupsNotAccepted after this time, or when the dispatch has ended. Then the dispatch of several groups
        continues. Raises any other error of a group, which is a bug.
        """
        if delivery.slot is not None:
            await self._take_only(delivery, delivery.slot, seconds)
        elif delivery.task is not None:
            await asyncio.wait({delivery.task}, timeout=max(0.0, seconds))
        bug = next((error for error in delivery.errors.values() if not isinstance(error, NOT_ACCEPTED)), None)
        if bug is not None:
            raise bug
        if delivery.waiting:
            await asyncio.gather(*(self._note(delivery, run) for run in list(delivery.waiting)))
        if delivery.waiting:
            cause = next(iter(delivery.errors.values()), None)
            raise GroupsNotAccepted(delivery.all_results(), list(delivery.waiting), cause)
        self._drop(delivery)
        return delivery.all_results()

    async def close(self) -> None:
        """Stop every dispatch."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take_only(self, delivery: Delivery, slot: AsyncExitStack, seconds: float) -> None:
        """Dispatch the one group of a body, which is given up after this time."""
        delivery.slot = None
        (run,) = delivery.waiting
        async with slot:
            try:
                async with asyncio.timeout(max(0.0, seconds)):
                    await self._take(delivery, run)
            except TimeoutError as error:
                delivery.errors[run] = error

    async def _run(self, delivery: Delivery, slot: AsyncExitStack) -> None:
        delivery.errors.clear()
        at_once = asyncio.Semaphore(GROUPS_AT_ONCE)

        async def take(run: str) -> None:
            async with at_once:
                await self._take(delivery, run)

        pending = {asyncio.create_task(take(run)) for run in list(delivery.waiting)}
        try:
            while pending:
                done, pending = await asyncio.wait(pending, timeout=self._progress, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    break
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            await slot.aclose()

    async def _take(self, delivery: Delivery, run: str) -> None:
        self._claim(delivery, run)
        try:
            results = await self._dispatch(delivery.source, delivery.waiting[run], delivery.received_at)
        except Exception as error:  # noqa: BLE001 - `wait` raises what is none of NOT_ACCEPTED
            delivery.errors[run] = error
            return
        delivery.waiting.pop(run)
        delivery.results[run] = results

    async def _note(self, delivery: Delivery, run: str) -> None:
        if (group := delivery.waiting.get(run)) is not None:  # otherwise it was accepted meanwhile
            closing = isinstance(delivery.errors.get(run), RunClosing)
            await self._note_refused(delivery.source, group, closing=closing)

    def _claim(self, delivery: Delivery, run: str) -> None:
        """Forget what an older body says of a group: if that body is sent again, the group must be dispatched again."""
        latest = self._latest.pop(run, None)
        if latest is not None and latest is not delivery and (results := latest.results.pop(run, None)) is not None:
            log.debug("a newer body has dispatched %s since: %s", run, results)
            self._drop(latest)
        if delivery.key in self._kept:
            self._latest[run] = delivery

    def _make_room(self, alerts: int) -> None:
        held = sum(len(group.alerts) for kept in self._kept.values() for group in kept.waiting.values())
        for kept in list(self._kept.values()):
            if held + alerts <= KEPT_ALERTS:
                return
            if not kept.is_running:
                held -= sum(len(group.alerts) for group in kept.waiting.values())
                self._drop(kept)

    def _drop(self, delivery: Delivery) -> None:
        if self._kept.get(delivery.key) is delivery:
            del self._kept[delivery.key]
        for run in [*delivery.results, *delivery.waiting]:
            if self._latest.get(run) is delivery:
                del self._latest[run]


def body_key(source: Source[Any], body: bytes) -> bytes:
    """Return the identity of a body of a source."""
    return blake2b(body, digest_size=16, person=blake2b(source.name.encode(), digest_size=16).digest()).digest()
