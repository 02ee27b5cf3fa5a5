"""A real browser on the pages of the Temporal UI: what a person sees there, as text and as a picture."""

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
"""Of the window, in pixels; so high that what a page tells needs no scrolling."""

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def absent() -> str | None:
    """Say that no browser is installed; None where one is."""
    return None if _program() else "not installed: chromium (Debian's package chromium)"


def _program() -> str | None:
    return next((path for name in _PROGRAMS if (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Browser:
    """One window."""

    page: Page

    async def read(self, url: str, *wanted: str) -> str:
        """Open a page, and return all that it shows once all of these texts are there."""
        await self.page.goto(url)
        return await self.until(*wanted)

    async def turn_to(self, tab: str, *wanted: str) -> str:
        """Turn to another tab of the page, and return all that it shows once all of these texts are there."""
        await self.page.locator(f'a[href*="/{tab.lower().replace(" ", "-")}"]').click()
        return await self.until(*wanted)

    async def until(self, *wanted: str) -> str:
        """Return all that the page shows once all of these texts are there; lines and spaces are one space each."""
        shown = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while not all(text in shown for text in wanted):
                    await asyncio.sleep(0.1)
                    shown = await self._shown()
        missing = [text for text in wanted if text not in shown]
        assert not missing, f"{self.page.url} does not show {missing}: {shown}"
        return shown

    async def choose_columns(self, *labels: str) -> None:
        """Have lists of runs show these columns, as a person chooses them; on a page of the UI, for those after it."""
        columns = json.dumps({"default": [{"label": label} for label in labels]})
        await self.page.evaluate(
            "columns => localStorage.setItem('namespace-workflow-table-columns', columns)", columns
        )

    async def row(self, run: str) -> list[str]:
        """Return what the list shows of a run, beside its name and its cost."""
        cells = await self.page.locator("tr", has_text=run).locator("td").all_inner_texts()
        texts = [cell.strip() for cell in cells]
        assert re.fullmatch(r"0\.00\d+", texts[-1]), f"no cost: {texts}"
        return texts[texts.index(run) + 1 : -1]

    async def _shown(self) -> str:
        """Return the text of the page; the UI renders Markdown in frames of their own."""
        texts = []
        for frame in self.page.frames:
            with suppress(Error):  # a frame that is replaced while it is read
                texts.append(await frame.locator("body").inner_text(timeout=1_000))
        return " ".join(" ".join(texts).split())


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Open a window, light and always of the same size, for as long as the context lasts."""
    path = _program()
    assert path is not None, absent()
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
