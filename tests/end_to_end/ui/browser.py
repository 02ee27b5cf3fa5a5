"""A real browser for the Temporal UI and the report: the visible text, and screenshots."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from playwright.async_api import Error, Page, async_playwright

SECONDS = 30.0

WIDTH, HEIGHT = 1440, 1500
"""Size of the window in pixels. Its height shows a page without scrolling."""

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def missing_browser() -> str | None:
    """Return why the browser tests cannot run, or None if a browser is installed."""
    return None if _program() else "not installed: chromium (Debian's package chromium)"


def _program() -> str | None:
    return next((path for name in _PROGRAMS if (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Browser:
    """One window."""

    page: Page

    async def read(self, url: str, *texts: str) -> str:
        """Open a page, wait for all of these texts, and return the visible text."""
        await self.page.goto(url)
        return await self.until(*texts)

    async def open_tab(self, tab: str, *texts: str) -> str:
        """Open another tab of the page, wait for all of these texts, and return the visible text."""
        await self.page.locator(f'a[href*="/{tab.lower().replace(" ", "-")}"]').click()
        return await self.until(*texts)

    async def until(self, *texts: str) -> str:
        """Wait for all of these texts; return the visible text with single spaces."""
        shown = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while not all(text in shown for text in texts):
                    await asyncio.sleep(0.1)
                    shown = await self._shown()
        missing = [text for text in texts if text not in shown]
        assert not missing, f"{self.page.url} does not show {missing}: {shown}"
        return shown

    async def choose_columns(self, url: str, *labels: str) -> None:
        """Set the columns of lists of runs in the storage of the UI; ``url`` is any page of it."""
        await self.page.goto(url)
        columns = json.dumps({"default": [{"label": label} for label in labels]})
        await self.page.evaluate(
            "columns => localStorage.setItem('namespace-workflow-table-columns', columns)", columns
        )

    async def row(self, run: str) -> list[str]:
        """Return the cells of a run in the list, without its name and its cost."""
        cells = await self.page.locator("tr", has_text=run).locator("td").all_inner_texts()
        texts = [cell.strip() for cell in cells]
        assert re.fullmatch(r"0\.00\d+", texts[-1]), f"no cost: {texts}"
        return texts[texts.index(run) + 1 : -1]

    async def _shown(self) -> str:
        """Return the text of the page; the UI renders Markdown in separate frames."""
        frame_texts = []
        for frame in self.page.frames:
            with suppress(Error):  # a frame that is replaced while it is read
                frame_texts.append(await frame.locator("body").inner_text(timeout=1_000))
        return " ".join(" ".join(frame_texts).split())


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Open a window with light colours and a fixed size; close it when the context ends."""
    path = _program()
    assert path is not None, missing_browser()
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=_QUIET)
        try:
            page = await chromium.new_page(
                viewport={"width": WIDTH, "height": HEIGHT},
                color_scheme="light",
                locale="en-GB",
                timezone_id="UTC",
                reduced_motion="reduce",
            )
            yield Browser(page)
        finally:
            await chromium.close()
