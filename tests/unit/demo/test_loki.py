import time
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from watchkeeper.demo.world import World

SECOND = 1_000_000_000


class Loki:
    def __init__(self, http: AsyncClient, world: World) -> None:
        self._http, self._base = http, f"{world.urls.loki_url}/loki/api/v1"

    async def ask(self, path: str, query: str, **parameters: str | int) -> Response:
        return await self._http.get(f"{self._base}/{path}", params={"query": query, **parameters})

    async def data(self, path: str, query: str, **parameters: str | int) -> Any:
        answer = await self.ask(path, query, **parameters)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "success"
        return answer.json()["data"]

    async def lines(self, query: str, **parameters: str | int) -> list[tuple[int, str]]:
        data = await self.data("query_range", query, **parameters)
        assert data["resultType"] == "streams"
        return [(int(at), line) for stream in data["result"] for at, line in stream["values"]]


@pytest.fixture
def loki(http: AsyncClient, world: World) -> Loki:
    return Loki(http, world)


async def test_the_exception_is_found_in_the_last_half_hour(loki: Loki, world: World) -> None:
    now = time.time_ns()
    found = await loki.lines('{service="checkout"} |= "NullPointerException"', start=now - 1800 * SECOND, end=now)
    assert len(found) == 100
    assert all(now - 1800 * SECOND <= at < now for at, _ in found)
    assert [at for at, _ in found] == sorted((at for at, _ in found), reverse=True)
    assert "CheckoutController.applyPromo" in found[0][1] and "v2.4.1" in found[0][1]
    assert "first_seen=13:42:07" in found[0][1]


async def test_forward_begins_with_the_first(loki: Loki, world: World) -> None:
    query = '{service="checkout"} |= "Exception"'
    (first,) = await loki.lines(query, direction="forward", limit=1)
    assert 0 <= first[0] / SECOND - world.scenario.failing_since < 1
    assert "T13:42:07" in first[1]


async def test_filters_combine(loki: Loki) -> None:
    lines = [line for _, line in await loki.lines('{service=~"payments|search"} |~ "(?i)GET|AUTH" != "search v1"')]
    assert lines and all("authorised" in line for line in lines)
    assert await loki.lines('{service="checkout"} |= "exception"') == []
    assert await loki.lines('{service="checkout"} |~ `(?i)nullpointer\\w+` !~ "order=ord_[0-9a-f]+"') == []
    assert await loki.lines('{service="checkout",level!="error"} |= "Exception"') == []
    assert await loki.lines('{service="billing"}') == []


async def test_streams_carry_their_labels(loki: Loki) -> None:
    data = await loki.data("query_range", '{service="checkout"}', limit=5000)
    labels = [stream["stream"] for stream in data["result"]]
    assert {"service": "checkout", "level": "error", "env": "production"} in labels
    assert {label["service"] for label in labels} == {"checkout"}


async def test_counting_agrees_with_looking(loki: Loki) -> None:
    end = time.time_ns()
    query = '{service="checkout"} |= "Exception"'
    found = await loki.lines(query, start=end - 1800 * SECOND, end=end, limit=5000)
    data = await loki.data("query", f"sum(count_over_time({query} [1800s]))", time=end)
    (sample,) = data["result"]
    assert data["resultType"] == "vector"
    assert sample["metric"] == {}
    assert int(sample["value"][1]) == len(found) > 200


async def test_nothing_counted_is_no_sample(loki: Loki) -> None:
    data = await loki.data("query", 'sum(count_over_time({service="payments"} |= "Exception" [1h]))')
    assert data["result"] == []


async def test_counts_by_label_and_over_time(loki: Loki, world: World) -> None:
    data = await loki.data("query", 'sum by (level) (count_over_time({service="checkout"} [30m]))')
    assert {sample["metric"]["level"] for sample in data["result"]} == {"info", "warn", "error"}
    since = world.scenario.failing_since
    data = await loki.data(
        "query_range",
        'sum(count_over_time({service="checkout"} |= "Exception" [1m]))',
        start=f"{since - 120}",
        end=f"{since + 60}",
        step="60s",
    )
    (series,) = data["result"]
    assert data["resultType"] == "matrix"
    assert [(at, count) for at, count in series["values"]] == [(pytest.approx(since + 60), "150")]
    data = await loki.data("query", 'sum(rate({service="checkout"} |= "Exception" [1m]))', time=f"{since + 60}")
    assert data["result"][0]["value"][1] == "2.5"


async def test_times_are_read_in_every_spelling(loki: Loki, world: World) -> None:
    since = world.scenario.failing_since
    query = '{service="checkout"} |= "Exception"'
    local, seconds = world.scenario.local(since).isoformat(), f"{since + 10:.0f}"
    by_text = await loki.lines(query, start=local, end=seconds)
    by_number = await loki.lines(query, start=int(since * SECOND), end=int((since + 10) * SECOND))
    assert by_text == by_number
    assert len(by_text) == 25


@pytest.mark.parametrize(
    ("path", "query", "parameters", "said"),
    [
        ("query_range", '{service="checkout"}', {"limit": "5001"}, "max entries limit per query exceeded"),
        ("query_range", '{service="checkout"}', {"limit": "0"}, "limit must be a positive value"),
        ("query_range", '{service="checkout"}', {"limit": "x"}, 'strconv.ParseInt: parsing "x"'),
        ("query_range", '{service="checkout"}', {"start": "20", "end": "10"}, "end timestamp must not be before"),
        ("query_range", '{service="checkout"}', {"start": "soon"}, '"soon" is no timestamp'),
        ("query_range", "{}", {}, "at least one regexp or equality matcher"),
        ("query_range", '{service=~".*"}', {}, "at least one regexp or equality matcher"),
        ("query_range", '{service="checkout"', {}, "unexpected end of input"),
        ("query_range", '{service="checkout"} | json', {}, "unexpected '|'"),
        ("query_range", '{service="checkout"} |~ "("', {}, "invalid regular expression"),
        ("query_range", 'sum(count_over_time({a="b"}[1m]))', {"step": "0"}, "zero or negative"),
        ("query_range", 'sum(count_over_time({a="b"}[1m]))', {"start": "1", "end": "99999", "step": "1"}, "11,000"),
        ("query", '{service="checkout"}', {}, "not supported as an instant query type"),
        ("query", 'topk(3, rate({a="b"}[1m]))', {}, "does not evaluate 'topk'"),
    ],
)
async def test_refusals_are_plain_text(
    loki: Loki, path: str, query: str, parameters: dict[str, str], said: str
) -> None:
    answer = await loki.ask(path, query, **parameters)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert said in answer.text


async def test_it_is_ready(http: AsyncClient, world: World) -> None:
    assert (await http.get(f"{world.urls.loki_url}/ready")).text == "ready\n"
