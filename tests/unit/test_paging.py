"""Pages hold no character that a receiver may refuse."""

from __future__ import annotations

import json

import pytest

from tests.support.settings import build_settings, paging_tables
from watchkeeper.demo.world import World
from watchkeeper.http.limited_client import LimitedClient
from watchkeeper.paging import page

UNFIT = ["\x00", "\ud800", "\udfff", "\x1b[2J", "\x07", "\x7f", "\x85", "\u202e", "\u2066"]


@pytest.mark.parametrize("unfit", UNFIT, ids=ascii)
async def test_no_character_that_receivers_refuse_leaves_in_a_page(world: World, unfit: str) -> None:
    text = f"before{unfit}after"
    settings = build_settings(**paging_tables(world))
    async with LimitedClient(timeout=5) as http:
        await page(
            http,
            settings,
            "checkout",
            summary=text,
            severity="critical",
            dedup_key="key",
            details={text: text},
            links={text: "https://runbook.example/"},
        )
    body = world.pagerduty_events.requests[0].body
    sent = json.loads(body)
    texts = [sent["payload"]["summary"], *sent["payload"]["custom_details"], sent["links"][0]["text"]]
    assert {text.partition("\ufffd")[0] for text in texts} == {"before"}
    assert all(unfit[0] not in text for text in texts)
    assert b"\\u0000" not in body
