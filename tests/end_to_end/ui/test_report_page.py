"""The HTML report in a real browser: narrow, dark, printed, and with hostile content."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from tests.support.report_page_data import (
    HOSTILE_TEXTS,
    add_round,
    after,
    conclude,
    hostile_run,
    long_run,
    new_run,
    recorded_run,
)
from watchkeeper.contracts import CallStatus, Claim, Report
from watchkeeper.incident.claim_marks import mark
from watchkeeper.report_page.html_report import html_report
from watchkeeper.report_page.report_data import AlertFiring, ReportData

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
PRINT_WIDTH = 688
"""Width of A4 between the margins, in pixels."""

TOO_WIDE = """() => [...document.querySelectorAll('body *')].filter(
    (element) => !element.parentElement.closest('.scroll, .prose table, svg')
).filter((element) => element.getBoundingClientRect().right > innerWidth + 1).map(
    (element) => element.tagName + ' ' + element.textContent.slice(0, 40)
)"""
LOW_CONTRAST = """() => {
    const luminance = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255).map(
            (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const background = luminance(getComputedStyle(document.body).backgroundColor);
    return [...document.querySelectorAll('main *')].filter((element) => element.textContent.trim()).map((element) => {
        const svg = element.closest('svg'), style = getComputedStyle(element);
        if (svg && (element.tagName !== 'text' || element.classList.contains('inside'))) return null;
        const text = luminance(svg ? style.fill : style.color);
        const contrast = (Math.max(text, background) + 0.05) / (Math.min(text, background) + 0.05);
        return contrast < 4.5 ? element.tagName + '.' + element.getAttribute('class') + ' ' + contrast : null;
    }).filter(Boolean);
}"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing; install the Debian package chromium"),
]


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        await browser.close()


class OpenReport:
    """A report in the browser, with its requests and messages."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page, self._file = page, file
        self.requests: list[str] = []
        self.messages: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("dialog", lambda dialog: self.messages.append(dialog.message))

    async def load(self) -> OpenReport:
        await self.page.goto(self._file.as_uri())
        assert self.requests == [self._file.as_uri()]
        assert self.messages == []
        return self


async def open_report(
    chromium: Browser, folder: Path, data: ReportData, width: int = 1280, *, dark: bool = False
) -> OpenReport:
    file = folder / "report.html"
    file.write_text(html_report(data, "https://ui.example/run"), encoding="utf-8")
    size = ViewportSize(width=width, height=900)
    page = await chromium.new_page(viewport=size, color_scheme="dark" if dark else "light")
    return await OpenReport(page, file).load()


def run_with_all_statuses() -> ReportData:
    """A run with calls of every status."""
    data = new_run("Checkout fails.", service="checkout")
    data.firings += [AlertFiring("f", "Errors", "critical", after(-600), after(7))]
    data.firings += [AlertFiring("g", "Latency", None, after(-60))]
    ends: tuple[CallStatus, ...] = ("ok", "error", "rejected", "denied", "expired", "unknown")
    calls: list[tuple[str, CallStatus, float]] = [(f"tool_{end}", end, 0.7) for end in ends]
    add_round(data, 0, 2, *calls)
    add_round(data, 3, 2)
    return conclude(
        data, 6, "# Cause\n\nA deploy of `v2`.\n\n| a | b |\n|---|--:|\n| c | 1 |\n\n[r](https://r.example)"
    )


def run_with_unsupported_claims() -> ReportData:
    """A run whose report has two claims that nothing supports."""
    claims = [
        Claim(text="73.4 %", kind="figure", why="no result has it"),
        Claim(text="INC-90210", kind="incident", why="no call opened it: " + "one-very-long-word" * 12),
    ]
    body = "# Cause\n\nErrors rose to **73.4 %** after the deploy.\n\n| incident |\n|---|\n| INC-90210 |"
    data = conclude(new_run("Checkout fails.", service="checkout"), 6)
    summary = mark("Errors rose to 73.4 %.", claims)
    data.run.report = Report(summary=summary, body=mark(body, claims), verdict="diagnosed", unsupported=claims)
    return data


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(
    "data",
    [run_with_all_statuses(), hostile_run(), long_run(200, 3_600), run_with_unsupported_claims()],
    ids=["statuses", "hostile", "long", "claims"],
)
async def test_nothing_is_wider_than_the_screen(
    chromium: Browser, tmp_path: Path, data: ReportData, width: int
) -> None:
    page = (await open_report(chromium, tmp_path, data, width)).page
    await page.evaluate("document.querySelectorAll('details').forEach((element) => { element.open = true; })")
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    assert await page.evaluate(TOO_WIDE) == []


@pytest.mark.parametrize("data", [run_with_all_statuses(), run_with_unsupported_claims()], ids=["statuses", "claims"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_text_has_enough_contrast(chromium: Browser, tmp_path: Path, dark: bool, data: ReportData) -> None:
    page = (await open_report(chromium, tmp_path, data, dark=dark)).page
    await page.evaluate("document.querySelectorAll('details').forEach((element) => { element.open = true; })")
    assert await page.evaluate(LOW_CONTRAST) == []


async def test_the_report_works_with_a_screen_reader(chromium: Browser, tmp_path: Path) -> None:
    page = (await open_report(chromium, tmp_path, run_with_all_statuses())).page
    levels = [
        int(await element.evaluate("(element) => element.tagName[1]"))
        for element in await page.locator("h1,h2,h3,h4").all()
    ]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    await page.get_by_role("img", name="Timeline of the run").wait_for()
    await page.get_by_role("heading", name="Evidence").wait_for()
    heads = await page.locator("th").evaluate_all("(all) => all.filter((element) => element.closest('section')).length")
    assert heads > 10
    await page.get_by_text("Timeline as a list").click()
    assert await page.get_by_role("cell", name="the run starts").is_visible()


@pytest.mark.parametrize("media", ["screen", "print"])
async def test_unsupported_claims_are_visible_without_color(
    chromium: Browser, tmp_path: Path, media: Literal["screen", "print"]
) -> None:
    page = (await open_report(chromium, tmp_path, run_with_unsupported_claims())).page
    await page.emulate_media(media=media)
    note = page.get_by_role("note").filter(has_text="2 statements of this report are not supported by what was read.")
    assert await note.is_visible()
    assert await note.locator("dt").all_inner_texts() == ["73.4 %", "INC-90210"]
    assert await page.locator("mark").all_inner_texts() == ["unsupported"] * 3
    borders = await page.locator("mark").evaluate_all("(all) => all.map((mark) => getComputedStyle(mark).borderStyle)")
    assert borders == ["solid"] * 3
    assert await page.get_by_text("Concluded: diagnosed", exact=True).is_visible()


async def test_a_call_unfolds_without_a_script(chromium: Browser, tmp_path: Path) -> None:
    page = (await open_report(chromium, tmp_path, await recorded_run("concluded"))).page
    found = page.get_by_text('"error_rate": 0.182')
    assert not await found.is_visible()
    await page.locator("#call-r1\\.0 summary").click()
    assert await found.is_visible()


async def test_hostile_content_is_shown_and_not_executed(chromium: Browser, tmp_path: Path) -> None:
    report = await open_report(chromium, tmp_path, hostile_run())
    page = report.page
    await page.evaluate("document.querySelectorAll('details').forEach((element) => { element.open = true; })")
    assert not (await page.title()).startswith("ran")
    for kind in ("script", "img", "iframe", "object", "embed", "form", "base", "link"):
        assert await page.locator(kind).count() == 0, kind
    schemes = await page.locator("a").evaluate_all(
        "(all) => [...new Set(all.map((element) => element.protocol))].sort()"
    )
    assert schemes == ["http:", "https:", "mailto:"]
    text = " ".join((await page.locator("main").inner_text()).split())
    assert all(" ".join(hostile.split()) in text for hostile in HOSTILE_TEXTS if "\x1b" not in hostile)
    assert report.messages == []
    assert len(report.requests) == 1


async def test_the_printed_report_is_complete(chromium: Browser, tmp_path: Path) -> None:
    page = (await open_report(chromium, tmp_path, run_with_all_statuses(), PRINT_WIDTH, dark=True)).page
    await page.emulate_media(media="print", color_scheme="dark")
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert await page.evaluate("document.documentElement.scrollWidth") == PRINT_WIDTH
    assert await page.evaluate(TOO_WIDE.replace("'.scroll, .prose table, svg'", "'svg'")) == []
    for result in await page.locator(".call pre").all():
        assert await result.is_visible()
    assert await page.get_by_text("Timeline as a list").is_hidden()
    printed = await page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF-")
    assert 2 <= printed.count(b"/Type /Page\n") <= 8


async def test_the_printed_report_of_a_long_run_has_folded_calls(chromium: Browser, tmp_path: Path) -> None:
    page = (await open_report(chromium, tmp_path, long_run(200, 3_600), PRINT_WIDTH)).page
    await page.emulate_media(media="print")
    assert await page.locator(".group").first.is_visible()
    assert not await page.locator(".call pre").first.is_visible()
