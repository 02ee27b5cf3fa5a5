"""The page in a real browser: at any width, in the dark, on paper, and with a hostile run on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from tests.support.report_page_data import RUDE, add_round, after, close, hostile, long_run, made, recorded
from watchkeeper.contracts import CallStatus
from watchkeeper.report_page.data import Account, Firing
from watchkeeper.report_page.html_page import html_page

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
PAPER = 688
"""Pixels between the margins of A4."""

WIDER = """() => [...document.querySelectorAll('body *')].filter(
    (one) => !one.parentElement.closest('.scroll, .prose table, svg')
).filter((one) => one.getBoundingClientRect().right > innerWidth + 1).map(
    (one) => one.tagName + ' ' + one.textContent.slice(0, 40)
)"""
PALE = """() => {
    const light = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255).map(
            (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const paper = light(getComputedStyle(document.body).backgroundColor);
    return [...document.querySelectorAll('main *')].filter((one) => one.textContent.trim()).map((one) => {
        const drawn = one.closest('svg'), style = getComputedStyle(one);
        if (drawn && (one.tagName !== 'text' || one.classList.contains('inside'))) return null;
        const ink = light(drawn ? style.fill : style.color);
        const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        return contrast < 4.5 ? one.tagName + '.' + one.getAttribute('class') + ' ' + contrast : null;
    }).filter(Boolean);
}"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no {CHROMIUM}; Debian's package is chromium"),
]


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        await browser.close()


class Opened:
    """A page that a person opened from a file, and what it did besides showing itself."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page, self._file = page, file
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))

    async def show(self) -> Opened:
        await self.page.goto(self._file.as_uri())
        assert self.asked == [self._file.as_uri()]
        assert self.complaints == []
        return self


async def opened(chromium: Browser, folder: Path, account: Account, width: int = 1280, *, dark: bool = False) -> Opened:
    file = folder / "report.html"
    file.write_text(html_page(account, "https://ui.example/run"), encoding="utf-8")
    size = ViewportSize(width=width, height=900)
    page = await chromium.new_page(viewport=size, color_scheme="dark" if dark else "light")
    return await Opened(page, file).show()


def lively() -> Account:
    """A run with something in every lane."""
    account = made("Checkout fails.", service="checkout")
    account.firings += [Firing("f", "Errors", "critical", after(-600).timestamp(), after(7).timestamp())]
    account.firings += [Firing("g", "Latency", None, after(-60).timestamp())]
    ends: tuple[CallStatus, ...] = ("ok", "error", "rejected", "denied", "expired", "unknown")
    called: list[tuple[str, CallStatus, float]] = [(f"tool_{end}", end, 0.7) for end in ends]
    add_round(account, 0, 2, *called)
    add_round(account, 3, 2)
    return close(
        account, 6, "# Cause\n\nA deploy of `v2`.\n\n| a | b |\n|---|--:|\n| c | 1 |\n\n[r](https://r.example)"
    )


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("account", [lively(), hostile(), long_run(200, 3_600)], ids=["lively", "hostile", "long"])
async def test_nothing_is_wider_than_the_screen(
    chromium: Browser, tmp_path: Path, account: Account, width: int
) -> None:
    page = (await opened(chromium, tmp_path, account, width)).page
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    assert await page.evaluate(WIDER) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_every_word_stands_out_from_the_paper(chromium: Browser, tmp_path: Path, dark: bool) -> None:
    page = (await opened(chromium, tmp_path, lively(), dark=dark)).page
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert await page.evaluate(PALE) == []


async def test_a_reader_without_eyes_finds_their_way(chromium: Browser, tmp_path: Path) -> None:
    page = (await opened(chromium, tmp_path, lively())).page
    levels = [int(await one.evaluate("(one) => one.tagName[1]")) for one in await page.locator("h1,h2,h3,h4").all()]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    await page.get_by_role("img", name="Timeline of the run").wait_for()
    await page.get_by_role("heading", name="Evidence").wait_for()
    heads = await page.locator("th").evaluate_all("(all) => all.filter((one) => one.closest('section')).length")
    assert heads > 10
    await page.get_by_text("The same as a list").click()
    assert await page.get_by_role("cell", name="the run starts").is_visible()


async def test_what_a_call_found_unfolds_without_a_script(chromium: Browser, tmp_path: Path) -> None:
    page = (await opened(chromium, tmp_path, await recorded("concluded"))).page
    found = page.get_by_text('"error_rate": 0.182')
    assert not await found.is_visible()
    await page.locator("#call-r1\\.0 summary").click()
    assert await found.is_visible()


async def test_a_hostile_run_runs_nothing_and_shows_its_words(chromium: Browser, tmp_path: Path) -> None:
    seen = await opened(chromium, tmp_path, hostile())
    page = seen.page
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert not (await page.title()).startswith("ran")
    for kind in ("script", "img", "iframe", "object", "embed", "form", "base", "link"):
        assert await page.locator(kind).count() == 0, kind
    schemes = await page.locator("a").evaluate_all("(all) => [...new Set(all.map((one) => one.protocol))].sort()")
    assert schemes == ["http:", "https:", "mailto:"]
    text = " ".join((await page.locator("main").inner_text()).split())
    assert all(" ".join(rude.split()) in text for rude in RUDE if "\x1b" not in rude)
    assert seen.complaints == []
    assert len(seen.asked) == 1


async def test_paper_has_everything_and_cuts_nothing(chromium: Browser, tmp_path: Path) -> None:
    page = (await opened(chromium, tmp_path, lively(), PAPER, dark=True)).page
    await page.emulate_media(media="print", color_scheme="dark")
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert await page.evaluate("document.documentElement.scrollWidth") == PAPER
    assert await page.evaluate(WIDER.replace("'.scroll, .prose table, svg'", "'svg'")) == []
    for result in await page.locator(".call pre").all():
        assert await result.is_visible()
    assert await page.get_by_text("The same as a list").is_hidden()
    printed = await page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF-")
    assert 2 <= printed.count(b"/Type /Page\n") <= 8


async def test_paper_leaves_the_calls_of_a_long_run_folded(chromium: Browser, tmp_path: Path) -> None:
    page = (await opened(chromium, tmp_path, long_run(200, 3_600), PAPER)).page
    await page.emulate_media(media="print")
    assert await page.locator(".group").first.is_visible()
    assert not await page.locator(".call pre").first.is_visible()
