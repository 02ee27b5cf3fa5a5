import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from httpx2 import (
    AsyncClient,
    DecodingError,
    HTTPError,
    ReadError,
    ReadTimeout,
    RemoteProtocolError,
)
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from watchkeeper.testing import faults
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer


class Counter:
    def __init__(self) -> None:
        self.served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        self.served += 1
        await PlainTextResponse(f"served {self.served} {body.decode()}")(scope, receive, send)


@pytest.fixture
def app() -> Counter:
    return Counter()


@pytest.fixture
def endpoint(app: Counter) -> FakeServer:
    return FakeServer(app)


@pytest.fixture
async def url(endpoint: FakeServer) -> AsyncIterator[str]:
    async with serve(endpoint) as base_url:
        yield base_url


async def test_every_request_is_recorded_as_it_arrived(http: AsyncClient, endpoint: FakeServer, url: str) -> None:
    before = time.time()
    answer = await http.post(f"{url}/a/b?x=1", json={"deep": [1]}, headers={"X-Mark": "m"})
    (received,) = endpoint.requests
    assert answer.text == 'served 1 {"deep":[1]}'
    assert (received.method, received.path, received.query["x"]) == ("POST", "/a/b", "1")
    assert received.headers["x-mark"] == "m"
    assert received.body == b'{"deep":[1]}'
    assert received.json() == {"deep": [1]}
    assert before <= received.at <= time.time()


async def test_fail_next_uses_one_fault_per_request(
    http: AsyncClient, endpoint: FakeServer, app: Counter, url: str
) -> None:
    endpoint.fail_next(429, {"error": "slow down"}, {"retry-after": "7"}, times=2)
    refused = [await http.get(url), await http.get(url)]
    assert [(r.status_code, r.json(), r.headers["retry-after"]) for r in refused] == [
        (429, {"error": "slow down"}, "7")
    ] * 2
    assert app.served == 0
    assert (await http.get(url)).status_code == 200
    assert len(endpoint.requests) == 3


async def test_an_outage_lasts_until_it_is_ended(http: AsyncClient, endpoint: FakeServer, url: str) -> None:
    endpoint.outage = faults.fault(502)
    assert [(await http.get(url)).status_code for _ in range(3)] == [502] * 3
    endpoint.outage = None
    assert (await http.get(url)).status_code == 200


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.drop_connection(), ReadError),
        (faults.hang(0.01), ReadError),
        (faults.truncated(b'{"half":'), RemoteProtocolError),
        (faults.reset_midway(b'{"half":'), ReadError),
        (faults.raw_response(b"nonsense\r\n\r\n"), RemoteProtocolError),
        (faults.raw_body(b"no gzip", "application/json", headers={"content-encoding": "gzip"}), DecodingError),
    ],
    ids=["drop", "hang", "truncated", "reset-midway", "no-http", "bad-gzip"],
)
async def test_broken_responses(
    http: AsyncClient, endpoint: FakeServer, app: Counter, url: str, fault: faults.Fault, error: type[HTTPError]
) -> None:
    endpoint.faults.append(fault)
    with pytest.raises(error):
        await http.get(url)
    assert app.served == 0
    assert (await http.get(url)).status_code == 200


async def test_a_lost_reply_has_taken_effect(http: AsyncClient, endpoint: FakeServer, app: Counter, url: str) -> None:
    endpoint.faults.append(faults.lose_reply())
    with pytest.raises(ReadError):
        await http.post(url, content=b"act")
    assert app.served == 1


async def test_a_drip_outlives_the_read_timeout(http: AsyncClient, endpoint: FakeServer, url: str) -> None:
    endpoint.faults.append(faults.drip(b'{"ok":1}', seconds_per_byte=0.08))
    assert (await http.get(url, timeout=0.5)).json() == {"ok": 1}


async def test_a_hang_outlasts_the_callers_timeout(http: AsyncClient, endpoint: FakeServer, url: str) -> None:
    endpoint.faults.append(faults.hang(60))
    with pytest.raises(ReadTimeout):
        await http.get(url, timeout=0.05)


async def test_a_delay_is_followed_by_the_answer(http: AsyncClient, endpoint: FakeServer, url: str) -> None:
    endpoint.faults.append(faults.delay(0.1))
    started = time.perf_counter()
    assert (await http.get(url)).text == "served 1 "
    assert time.perf_counter() - started >= 0.1


async def test_a_redirect_names_its_target(http: AsyncClient, endpoint: FakeServer, url: str) -> None:
    endpoint.faults.append(faults.redirect("http://elsewhere.example/", 308))
    answer = await http.get(url)
    assert (answer.status_code, answer.headers["location"]) == (308, "http://elsewhere.example/")


async def test_concurrent_requests_each_take_one_fault(http: AsyncClient, endpoint: FakeServer, url: str) -> None:
    endpoint.fail_next(times=3)
    answers = await asyncio.gather(*(http.get(url) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503, 503]
