"""Redraws the panel at the bottom of a terminal while a run is followed."""

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
"""Seconds between two redraws."""

_FREE = 3
"""Free columns at the right of the panel. A terminal echoes Ctrl-C as two characters, and some then wrap a full line:
the cursor moves, and a part of the panel stays on the screen."""


class LivePanel:
    """Redraws the panel, if there is a terminal, and calls ``on_tick`` each time."""

    def __init__(self, view: RunView, pending: PendingWork, console: Console, on_tick: Callable[[], None]) -> None:
        self._view, self._pending, self._console, self._on_tick = view, pending, console, on_tick
        drawable = console.is_terminal and not console.is_dumb_terminal
        self._live = (
            Live(
                get_renderable=self._draw,
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
            self._on_tick()
            if self._live is not None:
                self._live.refresh()

    def _draw(self) -> Text:
        if not self._view.workflow_id:
            return Text("loading the run", "dim")
        width, height = self._console.size
        now = asyncio.get_running_loop().time()
        return panel(self._view, self._pending, datetime.now(UTC), now, width=min(WIDTH, width - _FREE), height=height)
