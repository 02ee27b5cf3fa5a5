"""Takes the pictures of the Temporal UI that stand in ``docs/pictures``, from runs that it plays itself.

``python -m tests.ui.pictures`` takes them all anew; the dates, the ids and the port in them change each time.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.ui.browser import HEIGHT, Browser, absent, browsing
from tests.ui.scene import FINISHED, WAITING, Scene, scene

PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures"

PACE = 0.7
"""Seconds that the model takes to answer: as in the demo, and long enough to be seen in a timeline."""

PIXELS = 1_200
"""Width of a picture."""

MOST_BYTES = 200 * 1024

COLOURS = 64

LIST_WIDTH = 1_800
"""Of the window for the list, so that its columns stand beside each other."""

COLUMNS = (
    *("Status", "Workflow ID", "Start", "Service", "Severity", "Phase", "Outcome", "WaitingFor", "Rounds", "CostUsd"),
)


@dataclass(frozen=True)
class Photographer:
    """Takes pictures of the part of a page that is about runs."""

    browser: Browser

    async def take(self, name: str, upper: str, lower: str) -> None:
        """Picture a page from the element that holds one text to the one that holds another."""
        page = self.browser.page
        await page.mouse.move(0, 0)
        await asyncio.sleep(1)  # for what is drawn after its text is there
        top = await self._edge(upper, "top")
        bottom = await self._edge(lower, "bottom")
        left = await page.evaluate("document.querySelector('main, #content').getBoundingClientRect().left")
        width = await page.evaluate("window.innerWidth")
        clip = {"x": left, "y": max(0, top - 16), "width": width - left, "height": bottom - top + 32}
        _keep(await page.screenshot(clip=clip), PICTURES / f"{name}.png")  # type: ignore[arg-type]

    async def _edge(self, text: str, edge: str) -> float:
        box = await self.browser.page.get_by_text(text).last.bounding_box()
        assert box is not None, f"{text!r} is not drawn"
        return box["y"] + (box["height"] if edge == "bottom" else 0)


def _keep(taken: bytes, path: Path) -> None:
    """Write a picture no wider and no larger than pages should carry."""
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    if image.width > PIXELS:
        image = image.resize((PIXELS, image.height * PIXELS // image.width), Image.Resampling.LANCZOS)
    path.parent.mkdir(exist_ok=True)
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    assert size <= MOST_BYTES, f"{path.name} has {size:,} bytes; at most {MOST_BYTES:,} are kept"
    sys.stdout.write(f"{path.name}: {image.width} x {image.height}, {size / 1024:.0f} KiB\n")


async def _all(at: Scene, browser: Browser) -> None:
    taken = Photographer(browser)
    page = browser.page
    await browser.read(at.page(FINISHED), "deliver • report to log")
    await page.evaluate("localStorage.setItem('eventFilterSort', JSON.stringify('ascending'))")
    await browser.choose_columns(*COLUMNS)
    await browser.read(at.page(FINISHED), "deliver • report to log")
    await taken.take("timeline", FINISHED, "Download")
