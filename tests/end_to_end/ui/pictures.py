"""Takes the pictures of the Temporal UI in ``docs/pictures``, from the runs of ``scene``.

``python -m tests.end_to_end.ui.pictures`` takes all of them.
Dates, ids and the port in the pictures change each time.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from tests.end_to_end.ui.browser import HEIGHT, WIDTH, Browser, missing_browser, open_browser
from tests.end_to_end.ui.scene import FINISHED, WAITING, Scene, scene
from tests.support.paths import DOCS

PICTURES = DOCS / "pictures"

PACE = 0.7
"""Seconds that the model takes to answer, as in the demo: long enough to be visible in a timeline."""

PIXELS = 1_200
"""Width of a picture in pixels."""

MAX_BYTES = 200 * 1024

COLOURS = 128

LIST_WIDTH = 1_800
"""Width of the window for the list, so that all columns fit."""

COLUMNS = (*("Status", "Workflow ID", "Service", "Severity", "Phase", "Outcome", "WaitingFor", "Rounds", "CostUsd"),)

EVERY_RUN = 'WorkflowType="IncidentWorkflow"'


_HEAD = "header.flex-col"
_TIMELINE = "#event-history-timeline-graph"
_DETAILS = "div.bg-background-primary:has(iframe)"
_LIST = "table"
_MEMO = ".cm-editor"

_EDGE = 16


async def take(browser: Browser, name: str, part: str) -> None:
    """Take a picture of the UI from its heading to the end of an element."""
    page = browser.page
    await page.mouse.move(0, 0)
    await asyncio.sleep(1)  # some elements are drawn after their text
    head = await page.locator(_HEAD).first.bounding_box()
    last = await page.locator(part).last.bounding_box()
    assert head is not None and last is not None, f"{page.url} has another structure than before"
    x, y = head["x"] - _EDGE, head["y"] - _EDGE
    taken = await page.screenshot(
        clip={
            "x": x,
            "y": y,
            "width": head["width"] + 2 * _EDGE,
            "height": last["y"] + last["height"] + _EDGE - y,
        }
    )
    _save(taken, PICTURES / f"{name}.png")


def _save(taken: bytes, path: Path) -> None:
    """Write a picture within the limits for width and size."""
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    if image.width > PIXELS:
        image = image.resize((PIXELS, image.height * PIXELS // image.width), Image.Resampling.LANCZOS)
    path.parent.mkdir(exist_ok=True)
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    assert size <= MAX_BYTES, f"{path.name} has {size:,} bytes; at most {MAX_BYTES:,} are allowed"
    sys.stdout.write(f"{path.name}: {image.width} x {image.height}, {size / 1024:.0f} KiB\n")


async def _take_all(at: Scene, browser: Browser) -> None:
    page = browser.page
    await browser.read(at.runs, FINISHED)
    await browser.choose_columns(at.runs, *COLUMNS)
    await page.set_viewport_size({"width": LIST_WIDTH, "height": HEIGHT})
    await browser.read(f"{at.runs}?query={quote(EVERY_RUN)}", WAITING, "CostUsd")
    await take(browser, "list", _LIST)
    await page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    await browser.read(at.page(FINISHED), "deliver • report to log")
    await page.get_by_text("Descending").click()
    await browser.until("Ascending")
    await take(browser, "timeline", _TIMELINE)
    await browser.read(at.page(at.alerted), "open for follow-ups")
    await browser.open_tab("User Metadata", "What fired", "Recommended immediate next step")
    await take(browser, "alert", _DETAILS)
    await browser.read(at.page(WAITING), "waits for approval")
    await browser.open_tab("User Metadata", "Waits for a person", "Asked by a person")
    await take(browser, "approval", _DETAILS)
    await at.stop_workers()
    await browser.open_tab("Memo", "waits_for")
    await take(browser, "no-worker", _MEMO)


async def _main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with scene(Path(directory), PACE) as at, open_browser() as browser:
            await _take_all(at, browser)


if __name__ == "__main__":
    if why := missing_browser():
        sys.exit(why)
    asyncio.run(_main())
