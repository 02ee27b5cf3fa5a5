"""No secret leaves in a tool result, a log, an export or a span, in whatever form it is written."""

from __future__ import annotations

import html
import json
import logging
import re
import time
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest
from httpx2 import AsyncClient

from tests.support.settings import build_settings
from watchkeeper import logging_config
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ReportDelivery
from watchkeeper.redaction import Redactor
from watchkeeper.replay.history_redaction import HistoryRedactor
from watchkeeper.telemetry.content_capture import ContentCapture
from watchkeeper.tool import Arguments, Tool, ToolCall, ToolContext, ToolError, ToolUnavailable
from watchkeeper.tool_calling.execution import run_tool

SECRET = 'pa"ss\\w&rd/1+<x>!'

FORMS: dict[str, Callable[[str], str]] = {
    "literal": lambda secret: secret,
    "JSON": lambda secret: json.dumps({"key": secret}),
    "JSON in JSON": lambda secret: json.dumps({"text": json.dumps({"key": secret})}),
    "JSON as Go writes it": lambda secret: re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(secret)),
    "URL": lambda secret: f"http://host/?key={quote(secret, safe='')}",
    "URL in lower case": lambda secret: re.sub("%..", lambda sign: sign[0].lower(), quote(secret, safe="")),
    "URL as JavaScript writes it": lambda secret: quote(secret, safe="!'()*"),
    "form": lambda secret: f"key={quote_plus(secret)}",
    "HTML": lambda secret: f"<td>{html.escape(secret)}</td>",
    "HTML as Go writes it": lambda secret: f"<td>{html.escape(secret).replace('&quot;', '&#34;')}</td>",
    "base64": lambda secret: b64encode(secret.encode()).decode(),
    "basic authentication": lambda secret: f"Basic {b64encode(f'ada:{secret}'.encode()).decode()}",
    "base64 for URLs": lambda secret: urlsafe_b64encode(f"x{secret}".encode()).decode(),
}

KEYS = (
    *("sk-proj-Abc123Abc123Abc123Abc1", "ghp_Abc123Abc123Abc123Abc123", "github_pat_11ABCDEFG0123456789abc"),
    *("xoxb-123456789012-Abc123", "AKIAIOSFODNN7EXAMPLE", "glsa_Abc123Abc123Abc123Abc123"),
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----",
    "https://hooks.slack.com/services/T000/B000/XXXXXXXX",
)


def settings() -> Settings:
    return build_settings(loki={"token": SECRET})


async def tool_result(text: str) -> str:
    """The result of a tool that returns a text."""

    async def read(args: Arguments, context: ToolContext) -> dict[str, str]:
        return {"text": text}

    return await called(read)


async def tool_refusal(text: str) -> str:
    """The result of a tool that refuses with a text."""

    async def refuse(args: Arguments, context: ToolContext) -> None:
        raise ToolError(text)

    return await called(refuse)


async def tool_outage(text: str) -> str:
    """The error of a tool whose back end is unavailable."""

    async def fail(args: Arguments, context: ToolContext) -> None:
        raise ToolUnavailable(text)

    with pytest.raises(ToolUnavailable) as caught:
        await called(fail)
    return str(caught.value)


async def called(function: Callable[[Arguments, ToolContext], Awaitable[object]]) -> str:
    second = timedelta(seconds=5)
    tool = Tool("read", "Reads.", Arguments, function, "read", second, 1, (), approval=False)
    call = ToolCall(run="run", key="r1.0", arguments="{}")
    async with AsyncClient() as http:
        result = await run_tool(tool, call, settings=settings(), http=http, at=datetime.now(UTC), attempt=1)
    return result.content


async def exported(text: str) -> str:
    """A payload of an exported history."""
    data = b64encode(json.dumps(text).encode()).decode()
    history = HistoryRedactor(settings().secrets).history({"input": {"metadata": {}, "data": data}})
    return b64decode(history["input"]["data"]).decode()


async def span(text: str) -> str:
    """The content of a span."""
    delivery = ReportDelivery.model_construct(None, **{"report": SimpleNamespace(body=text)})  # type: ignore[arg-type]
    (content,) = ContentCapture(settings().redactor, captured=True).of_report(delivery).values()
    return content


async def text_log(text: str) -> str:
    """A line of the log for people."""
    return logged(text, "text")


async def json_log(text: str) -> str:
    """A line of the log for programs."""
    return logged(text, "json")


def logged(text: str, log_format: logging_config.LogFormat) -> str:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logging_config.log_to_stderr(logging.INFO, log_format, settings().redactor)
        error = OSError(text)
        record = logging.LogRecord("x", logging.ERROR, "", 0, "%s", (text,), (OSError, error, None))
        return root.handlers[0].format(record)
    finally:
        root.handlers[:], root.level = handlers, level


PLACES = (tool_result, tool_refusal, tool_outage, exported, span, text_log, json_log)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
async def test_a_secret_is_found_in_each_form(
    place: Callable[[str], Awaitable[str]], form: Callable[[str], str]
) -> None:
    written = await place(f"a {form(SECRET)} z")
    assert "(secret" in written
    assert not any(part in written for part in ("pa\\", "pa%22", "pa&quot;", "w&rd", "w%26rd", "w&amp;rd"))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("key", KEYS)
async def test_a_text_in_the_shape_of_a_key_is_a_secret(place: Callable[[str], Awaitable[str]], key: str) -> None:
    written = await place(f"a {key} z")
    assert "(secret" in written
    assert json.dumps(key)[1:-1] not in written and key[-12:] not in written


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer (secret)"),
        ("postgres://ada:hunter2@db/app", "postgres://(secret)@db/app"),
        ("the task-force-of-twenty-people met", "the task-force-of-twenty-people met"),
        ("https://grafana/d/abc?from=now-1h", "https://grafana/d/abc?from=now-1h"),
        ("http://[::1]:9090/api at 10:30 @ada", "http://[::1]:9090/api at 10:30 @ada"),
    ],
)
def test_nothing_else_is_changed(text: str, redacted: str) -> None:
    assert Redactor([]).text(text) == redacted


@pytest.mark.parametrize("user", ["", "a:", "ab:", "abc:", "häufig:"])
def test_base64_is_found_at_every_offset(user: str) -> None:
    secret = "0123456789-tok?n~"
    for encode in (b64encode, urlsafe_b64encode):
        written = encode(f"{user}{secret}".encode()).decode()
        before, _, after = Redactor([secret]).text(written).partition("(secret)")
        assert written.startswith(before) and written.endswith(after)
        assert len(before + after) <= len(user) * 2 + 5


def test_the_longer_of_two_secrets_is_replaced_whole() -> None:
    assert Redactor(["token-1", "token-1-and-more"]).text("token-1-and-more token-1") == "(secret) (secret)"


def test_json_without_a_secret_is_returned_as_it_is() -> None:
    value = {"a": ["b", 1.5, None, {"c": True}]}
    assert Redactor(["a-secret"]).json(value) is value


def test_json_keys_and_strings_are_redacted_and_numbers_are_not() -> None:
    value = {"a-secret": ["x a-secret", 123456, {"k": "123456"}]}
    assert Redactor(["a-secret", "123456"]).json(value) == {"(secret)": ["x (secret)", 123456, {"k": "(secret)"}]}


@pytest.mark.parametrize(
    "unit", ["-eyJ", ".eyJaaaaaaaaaaa", "://a:", "-----BEGIN ", "Bearer a", "sk_live_", "hvs.", "a" * 63 + "\n"]
)
def test_the_time_for_a_megabyte_is_bounded(unit: str) -> None:
    """0.03 to 0.3 seconds were measured; a quadratic pattern would take hours."""
    text = unit * (1_000_000 // len(unit))
    redactor = Redactor([f"{number:032x}" for number in range(20)])
    began = time.process_time()
    redactor.text(text)
    redactor.json(text.split("a"))
    assert time.process_time() - began < 5
