"""Keeping the panel at the bottom of a terminal, below what is told, for as long as a run is followed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from watchkeeper.cli.watch.layout import WIDTH
from watchkeeper.cli.watch.panel import panel
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.pending_work import PendingWork

_TICK = 0.25
"""Seconds between two drawings."""

_FREE = 3
"""Columns at the right of the panel: a terminal echoes Ctrl-C as two characters, and some wrap a line that fills them.
What is wrapped moves the cursor, and a piece of the panel would stay."""


class LivePanel:
    """Draws the panel again and again, where there is a terminal to draw on, and calls ``each`` every time."""

    def __init__(self, view: RunView, outlook: PendingWork, console: Console, each: Callable[[], None]) -> None:
        self._view, self._outlook, self._console, self._each = view, outlook, console, each
        drawable = console.is_terminal and not console.is_dumb_terminal
        self._live = (
            Live(
                get_renderable=self._drawn,
                console=console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            if drawable
            else None
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LivePanel:
        if self._live is not None:
            self._live.start()
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._live is not None:
            self._live.stop()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._each()
            if self._live is not None:
                self._live.refresh()

    def _drawn(self) -> Text:
        if not self._view.workflow_id:
            return Text("looking for the run", "dim")
        width, height = self._console.size
        now = asyncio.get_running_loop().time()
        return panel(self._view, self._outlook, datetime.now(UTC), now, width=min(WIDTH, width - _FREE), height=height)
