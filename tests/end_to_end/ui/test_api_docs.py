"""`/docs` in a real browser that reaches nothing but this intake."""

from __future__ import annotations

import pytest
from playwright.async_api import Request, Route, async_playwright
from temporalio.client import Client

from tests.end_to_end.ui.test_report_page import ARGUMENTS, CHROMIUM
from tests.support.intake_harness import Dispatcher, running_intake

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing; install the Debian package chromium"),
]


async def test_the_docs_load_offline_without_an_error(client: Client) -> None:
    said: list[str] = []
    asked: list[str] = []
    async with running_intake(client, Dispatcher().dispatch, local_only=True) as http, async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        page = await browser.new_page()

        async def only_here(route: Route, request: Request) -> None:
            asked.append(request.url)
            await (route.continue_() if request.url.startswith((str(http.base_url), "data:")) else route.abort())

        await page.route("**/*", only_here)
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(f"{http.base_url}/docs")
        await page.get_by_text("/runs/{run}/approve").wait_for(timeout=60_000)
        await page.get_by_text("/runs/{run}/approve").click()
        await page.get_by_role("button", name="Try it out").wait_for(timeout=60_000)
        await page.get_by_role("button", name="Try it out").click()
        await page.get_by_role("button", name="Execute").wait_for(timeout=60_000)
        await browser.close()
    assert said == []
    assert all(url.startswith((str(http.base_url), "data:")) for url in asked), asked
