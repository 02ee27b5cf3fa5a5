from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.activities.tools.conftest import ToolHarness
from watchkeeper.demo.log_generator import generate_lines
from watchkeeper.testing.faults import fault, raw_body
from watchkeeper.tool import ToolUnavailable


def streams(*lines: tuple[int, str], labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    result = [{"stream": labels or {}, "values": [[str(at), line] for at, line in lines]}]
    return {"status": "success", "data": {"resultType": "streams", "result": result}, **more}


def count(number: int, **more: Any) -> dict[str, Any]:
    result = [{"metric": {}, "value": [0, str(number)]}] if number else []
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


async def test_the_seed_incident_shows_the_first_and_the_last_lines(harness: ToolHarness) -> None:
    logs = await harness.ok("search_logs", service="checkout", query="NullPointerException")
    lines = logs["lines"]
    assert logs["shown"] == len(lines) == 30 < logs["total"]
    assert "applyPromo" in lines[0]["line"]
    times = [datetime.fromisoformat(line["at"]) for line in lines]
    assert times == sorted(times)
    assert 0 <= times[0].timestamp() - harness.world.scenario.failing_since < 1
    assert 0 <= harness.at.timestamp() - times[-1].timestamp() < 1
    assert f"30 of {logs['total']} lines" in logs["note"]
    assert "fewer minutes" in logs["note"]


async def test_few_lines_are_all_shown_once(harness: ToolHarness) -> None:
    logs = await harness.ok("search_logs", service="checkout", query="basket priced", minutes=5)
    assert 0 < logs["total"] == logs["shown"] == len(logs["lines"]) < 30
    assert logs["note"].startswith(f"All {logs['total']} lines")
    assert len({line["line"] for line in logs["lines"]}) == logs["total"]


async def test_an_empty_query_means_every_line(harness: ToolHarness) -> None:
    every = await harness.ok("search_logs", service="payments", query="", minutes=2)
    some = await harness.ok("search_logs", service="payments", query="authorised", minutes=2)
    assert every["total"] >= some["total"] > 0
    assert harness.world.loki.requests[0].query["query"] == 'sum(count_over_time({service="payments"} [120s]))'


async def test_nothing_found_is_no_proof(harness: ToolHarness) -> None:
    logs = await harness.ok("search_logs", service="checkout", query="nullpointer")
    assert (logs["total"], logs["shown"], logs["lines"]) == (0, 0, [])
    assert "no proof of health" in logs["note"]
    assert "case-sensitive" in logs["note"]
    assert "'nullpointer'" in logs["note"]
    assert len(harness.world.loki.requests) == 1


@pytest.mark.parametrize(
    "text",
    [
        'Cannot invoke "com.acme.promo.Promotion.code()"',
        "`",
        '"',
        "\\",
        '`"\\` |= "x',
        "} | json",
        "tab\tnew\nline\r\x07 é 漢 😀 \u2028",
        "%s %d ${x} {{.y}}",
    ],
)
async def test_any_text_is_searched_literally(harness: ToolHarness, text: str) -> None:
    logs = await harness.ok("search_logs", service="checkout", query=text)
    end = harness.at.timestamp()
    written = generate_lines(harness.world.scenario, "checkout", end - 1800, end)
    assert logs["query"] == text
    assert logs["total"] == sum(text in line.text for line in written)


async def test_every_attempt_searches_the_same_time_range(harness: ToolHarness) -> None:
    first = await harness.call("search_logs", service="checkout", query="NullPointer", attempt=1)
    queries = [dict(request.query) for request in harness.world.loki.requests]
    second = await harness.call("search_logs", service="checkout", query="NullPointer", attempt=2)
    again = [dict(request.query) for request in harness.world.loki.requests[len(queries) :]]
    assert first == second

    def values_of(queries: list[dict[str, str]]) -> list[tuple[str, ...]]:
        return sorted(tuple(sorted(query.values())) for query in queries)

    assert values_of(queries) == values_of(again)
    counted, *searched = queries
    assert {query["direction"] for query in searched} == {"forward", "backward"}
    assert {int(query["end"]) - int(query["start"]) for query in searched} == {1800 * 10**9}
    assert {int(query["end"]) for query in searched} == {int(counted["time"]) + 1}


async def test_long_lines_are_cut_each(harness: ToolHarness) -> None:
    harness.world.loki.faults.extend([fault(200, count(1)), fault(200, streams((10**18, "x" * 10_000)))])
    logs = await harness.ok("search_logs", service="checkout", query="x")
    assert logs["lines"][0]["line"] == "x" * 500 + "… (+9500 bytes)"


async def test_the_same_line_of_two_streams_is_two_lines(harness: ToolHarness) -> None:
    two = streams((10**18, "same"), labels={"pod": "a"})
    two["data"]["result"] += streams((10**18, "same"), labels={"pod": "b"})["data"]["result"]
    harness.world.loki.faults.extend([fault(200, count(2)), fault(200, two)])
    assert (await harness.ok("search_logs", service="checkout", query="same"))["shown"] == 2


async def test_a_line_in_head_and_tail_is_shown_once(harness: ToolHarness) -> None:
    page = fault(200, streams((10**18, "a"), (10**18 + 1, "b")))
    harness.world.loki.faults.extend([fault(200, count(31)), page, page])
    assert (await harness.ok("search_logs", service="checkout", query="a"))["shown"] == 2


async def test_structured_metadata_and_warnings(harness: ToolHarness) -> None:
    found = streams((10**18, "a"), warnings=["partial result: one ingester is down"])
    found["data"]["result"][0]["values"][0].append({"trace_id": "1"})
    harness.world.loki.faults.extend([fault(200, count(1)), fault(200, found)])
    logs = await harness.ok("search_logs", service="checkout", query="a")
    assert logs["lines"] == [{"at": "2001-09-09T01:46:40.000Z", "line": "a"}]
    assert "Loki warns: partial result: one ingester is down" in logs["note"]


async def test_lines_that_cannot_be_sent_are_cleaned(harness: ToolHarness) -> None:
    body = json.dumps(streams((1, "\ud83d\0"))).encode()
    harness.world.loki.faults.extend([fault(200, count(1)), raw_body(body, "application/json")])
    logs = await harness.ok("search_logs", service="checkout", query="a")
    assert logs["lines"][0]["line"] == "\ufffd\ufffd"


async def test_tenant_and_the_operators_own_selector(harness: ToolHarness) -> None:
    harness.set(loki={"tenant": "blue"})
    harness.set_service("checkout", logs_selector='service="checkout", level="error"')
    logs = await harness.ok("search_logs", service="checkout", query="", minutes=30)
    assert {line["line"].split()[1] for line in logs["lines"]} == {"ERROR"}
    assert {request.headers["x-scope-orgid"] for request in harness.world.loki.requests} == {"blue"}


@pytest.mark.parametrize("minutes", [0, 1441, -5, "soon"])
async def test_a_time_range_out_of_bounds_is_rejected(harness: ToolHarness, minutes: object) -> None:
    result = await harness.call("search_logs", service="checkout", query="x", minutes=minutes)
    assert result.status == "rejected"
    assert harness.world.loki.requests == []


async def test_a_refusal_of_loki_is_quoted(harness: ToolHarness) -> None:
    harness.set_service("checkout", logs_selector="service=")
    assert "answered 400: " in (error := await harness.error("search_logs", service="checkout", query="x"))
    assert "parse error" in error


async def test_the_retry_delay_of_loki_is_used(harness: ToolHarness) -> None:
    harness.world.loki.fail_next(429, "too many outstanding requests", {"retry-after": "7"})
    with pytest.raises(ToolUnavailable, match="too many outstanding requests") as caught:
        await harness.call("search_logs", service="checkout", query="x")
    assert caught.value.delay is not None and caught.value.delay.total_seconds() == 7


async def test_no_loki_configured(harness: ToolHarness) -> None:
    harness.set(loki={"url": None})
    assert "WATCHKEEPER_LOKI__URL" in await harness.error("search_logs", service="checkout", query="x")
