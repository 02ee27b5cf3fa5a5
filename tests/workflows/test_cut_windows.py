"""Hosts that read only the end of a conversation and answer without an error, as Ollama does by default.

It is noticed by the tokens that they count, written to the log, and the conversation is made smaller.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest
from temporalio.client import Client

from tests.support.harness import model_text, run_harness
from tests.support.settings import KEY
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import Script, ScriptedReply, calls, says
from watchkeeper.tool import Arguments, ToolContext, tool

ROUNDS = 6
REPORT = says("**Status:** checkout is degraded.\n\nRoll back.")
ENOUGH = 6_000
"""Tokens. The system prompt, the tool and a few results."""


@tool(effect="read")
async def read_log(args: Arguments, context: ToolContext) -> str:
    """Read a page of the log."""
    return f"{context.idempotency_key}: " + "order refused by the bank, code 51; " * 150


def reads_logs(rounds: int = ROUNDS) -> Script:
    """Read a page in each round. Requests are counted, because older rounds may be summarized."""
    asked = 0

    def script(request: JsonObject) -> ScriptedReply:
        nonlocal asked
        asked += 1
        return calls(("read_log", {})) if asked <= rounds else REPORT

    return script


def cuts(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "does not say so" in record.getMessage()]


@pytest.mark.parametrize("counts", [ENOUGH, ENOUGH // 2, ENOUGH // 2 + 2], ids=["full", "half", "half and two"])
async def test_a_cut_window_is_noticed_and_the_conversation_made_smaller(
    client: Client, caplog: pytest.LogCaptureFixture, counts: int
) -> None:
    host = ScriptedModel(reads_logs(), key=KEY, reads=ENOUGH, counts_cut=counts)
    with caplog.at_level(logging.WARNING):
        async with run_harness(client, host, tools={"read_log": read_log}) as harness:
            result = await (await harness.start()).result()
            again = await (await harness.start()).result()
    assert (result.status, again.status) == ("concluded", "concluded")
    assert "Roll back" in model_text(result.report)
    text = cuts(caplog)[0]
    assert f"reads only {counts:,} of the about " in text
    assert "OLLAMA_CONTEXT_LENGTH" in text
    sizes = [len(request.body) // 4 for request in host.requests]
    assert sum(size > ENOUGH for size in sizes) <= 2, "once it is noticed, no longer conversation is sent"
    assert any("Earlier rounds" in str(request.json()["messages"]) for request in host.requests)


async def test_a_conversation_that_cannot_be_made_smaller_is_answered_and_the_cut_is_logged(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    host = ScriptedModel(reads_logs(1), key=KEY, reads=600)
    with caplog.at_level(logging.WARNING):
        async with run_harness(client, host, tools={"read_log": read_log}) as harness:
            result = await (await harness.start()).result()
    assert result.status == "concluded"
    assert cuts(caplog)


async def test_a_fallback_with_a_whole_window_answers_instead(client: Client) -> None:
    small: Any = ScriptedModel(reads_logs(), key=KEY, reads=ENOUGH)
    large = ScriptedModel(lambda request: REPORT, key=KEY)
    async with (
        large.serve() as url,
        run_harness(
            client,
            small,
            tools={"read_log": read_log},
            fallbacks=[{"base_url": url, "name": "large", "api_key": KEY}],
        ) as harness,
    ):
        result = await (await harness.start()).result()
    assert result.status == "concluded"
    assert len(large.requests) == 1
    assert "Earlier rounds" not in str(large.messages())
