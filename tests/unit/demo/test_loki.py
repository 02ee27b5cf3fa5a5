import time
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from watchkeeper.demo.scenario import utc_text
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
    assert f"first_seen={utc_text(world.scenario.failing_since)}" in found[0][1]


async def test_forward_starts_with_the_oldest_line(loki: Loki, world: World) -> None:
    query = '{service="checkout"} |= "Exception"'
    (first,) = await loki.lines(query, direction="forward", limit=1)
    assert 0 <= first[0] / SECOND - world.scenario.failing_since < 1
    assert first[1].startswith(utc_text(world.scenario.failing_since)[:-1])


async def test_only_lines_with_the_text_are_found(loki: Loki) -> None:
    lines = [line for _, line in await loki.lines('{service=~"payments|search"} |= "authorised"')]
    assert lines and all("authorised" in line for line in lines)
    assert await loki.lines('{service="checkout"} |= "exception"') == []
    assert await loki.lines('{service="checkout",level!="error"} |= "Exception"') == []
    assert await loki.lines('{service="billing"}') == []
    assert await loki.lines(r'{service="checkout"} |= "Cannot invoke \"com.acme"') != []


async def test_streams_carry_their_labels(loki: Loki) -> None:
    data = await loki.data("query_range", '{service="checkout"}', limit=5000)
    labels = [stream["stream"] for stream in data["result"]]
    assert {"service": "checkout", "level": "error", "env": "production"} in labels
    assert {label["service"] for label in labels} == {"checkout"}


async def test_a_count_agrees_with_the_lines_found(loki: Loki) -> None:
    end = time.time_ns()
    query = '{service="checkout"} |= "Exception"'
    found = await loki.lines(query, start=end - 1800 * SECOND + 1, end=end + 1, limit=5000)
    data = await loki.data("query", f"sum(count_over_time({query} [1800s]))", time=end)
    (sample,) = data["result"]
    assert data["resultType"] == "vector"
    assert sample["metric"] == {}
    assert int(sample["value"][1]) == len(found) > 200


async def test_a_count_of_no_lines_has_no_sample(loki: Loki) -> None:
    data = await loki.data("query", 'sum(count_over_time({service="payments"} |= "Exception" [3600s]))')
    assert data["result"] == []


@pytest.mark.parametrize(
    ("path", "query", "parameters", "message"),
    [
        ("query_range", '{service="checkout"}', {"limit": "5001"}, "max entries limit per query exceeded"),
        ("query_range", '{service="checkout"}', {"limit": "0"}, "limit must be a positive value"),
        ("query_range", '{service="checkout"}', {"limit": "x"}, 'strconv.ParseInt: parsing "x"'),
        ("query_range", '{service="checkout"}', {"start": "20", "end": "10"}, "end timestamp must not be before"),
        ("query_range", '{service="checkout"}', {"start": "soon"}, 'reads "start" as Unix nanoseconds, not "soon"'),
        ("query_range", "{}", {}, "at least one regexp or equality matcher"),
        ("query_range", '{service=~".*"}', {}, "at least one regexp or equality matcher"),
        ("query_range", '{service=~"("}', {}, "error parsing regexp '('"),
        ("query_range", '{service="checkout"', {}, "the simulated Loki answers only"),
        ("query_range", '{service="checkout"} | json', {}, "the simulated Loki answers only"),
        ("query_range", '{service="checkout"} |~ "x"', {}, "the simulated Loki answers only"),
        ("query_range", 'sum(count_over_time({a="b"} [60s]))', {}, "only as an instant query"),
        ("query", '{service="checkout"}', {}, "not supported as an instant query type"),
        ("query", 'topk(3, rate({a="b"}[1m]))', {}, "the simulated Loki answers only"),
    ],
)
async def test_refusals_are_plain_text(
    loki: Loki, path: str, query: str, parameters: dict[str, str], message: str
) -> None:
    answer = await loki.ask(path, query, **parameters)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert message in answer.text


async def test_it_is_ready(http: AsyncClient, world: World) -> None:
    assert (await http.get(f"{world.urls.loki_url}/ready")).text == "ready\n"
