"""Authentication of the runs API: by token; without tokens only from this machine, and not from a web page."""

from __future__ import annotations

import re

import pytest
from temporalio.client import Client

from tests.support.intake_harness import OTHER, SENDER, TOKEN, Dispatcher, bearer, running_intake, settings
from watchkeeper.config.settings import Settings, SettingsError
from watchkeeper.intake.authentication import require_authentication

GUARDED = (
    ("GET", "/runs"),
    ("POST", "/runs"),
    ("GET", "/runs/any"),
    *(("POST", f"/runs/any/{act}") for act in ("tell", "approve", "deny", "stop", "extend")),
    ("GET", "/nothing/of/the/kind"),
    ("GET", "//runs"),
    ("POST", "/alerts"),
)
ASSETS = ("/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/start.js", "/docs/favicon.png")
PUBLIC = ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", *ASSETS)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        bearer("another"),
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "1"),
        bearer(SENDER),
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer \N{SNOWMAN}".encode()},
    ],
    ids=str,
)
async def test_without_a_valid_token_every_request_is_refused(client: Client, headers: dict[str, str]) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        for method, path in GUARDED:
            answer = await http.request(method, path, json={}, headers=headers)
            assert (answer.status_code, path) == (401, path)
            assert answer.headers["www-authenticate"] == 'Bearer realm="watchkeeper"'
            assert answer.json() == {"error": "send one of the intake's tokens: Authorization: Bearer TOKEN"}


@pytest.mark.parametrize("headers", [bearer(TOKEN), bearer(OTHER), {"authorization": f"bearer  {TOKEN}"}], ids=str)
async def test_each_token_is_valid(client: Client, headers: dict[str, str]) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        assert (await http.get("/runs", headers=headers)).status_code == 200
        assert (await http.get("/runs/nobody", headers=headers)).status_code == 404
        assert (await http.get("/nothing/of/the/kind", headers=headers)).status_code == 404


async def test_public_paths_need_no_token_and_name_no_source(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answers = [await http.get(path) for path in PUBLIC]
    assert [answer.status_code for answer in answers] == [200, 503, 200, 200, 200, *[200] * len(ASSETS)]
    assert not any("door" in answer.text for answer in answers[: -len(ASSETS)])


async def test_the_docs_load_only_files_of_this_process(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        page, missing = await http.get("/docs"), await http.get("/docs/swagger-ui.js")
        assets = [await http.get(path) for path in ASSETS]
    assert missing.status_code == 404
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {f"/{path}" for path in loaded} == set(ASSETS)
    assert not re.search(r"<script>|<style|style=|\bon\w+=", page.text)
    for answer in (page, *assets):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_token_of_the_api_is_not_valid_for_a_source(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answer = await http.post("/alerts/prom", content=b"{}", headers=bearer(TOKEN))
    assert answer.status_code == 401


async def test_openapi_documents_the_bearer_token(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        document = (await http.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation.get("security") == ([{"token": []}] if path.startswith("/runs") else None)


def without_tokens() -> Settings:
    return settings(intake={})


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "127.0.0.1:1", "127.8.9.1", "[::1]:80"])
async def test_without_tokens_loopback_is_served(client: Client, host: str) -> None:
    async with running_intake(client, Dispatcher().dispatch, without_tokens()) as http:
        answer = await http.get("/runs", headers={"host": host})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil", "192.0.2.1", "0.0.0.0", ""],
)
async def test_without_tokens_other_host_names_are_refused(client: Client, host: str) -> None:
    async with running_intake(client, Dispatcher().dispatch, without_tokens()) as http:
        for method, path in GUARDED:
            answer = await http.request(method, path, json={"text": "Why?"}, headers={"host": host})
            assert (answer.status_code, path) == (403, path)


@pytest.mark.parametrize("tables", [{}, {"intake": {}}], ids=["with tokens", "without"])
@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_form_of_a_web_page_starts_nothing(
    client: Client, kind: str | None, tables: dict[str, dict[str, str]]
) -> None:
    headers = bearer(TOKEN) | ({"content-type": kind} if kind else {})
    async with running_intake(client, Dispatcher().dispatch, settings(**tables)) as http:
        for path in ("/runs", "/runs/any/stop", "/runs/any/approve"):
            for body in (b"", b'{"text": "Why?"}'):
                answer = await http.post(path, content=body, headers=headers)
                assert (answer.status_code, answer.json()["error"][:21]) == (415, "the body must be JSON")


async def test_cors_allows_no_web_page_to_send_json(client: Client) -> None:
    asking = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    async with running_intake(client, Dispatcher().dispatch, without_tokens()) as http:
        answer = await http.request("OPTIONS", "/runs", headers=asking)
    assert answer.status_code == 403
    assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost", "LOCALHOST"])
def test_loopback_needs_no_token(host: str) -> None:
    require_authentication(settings(intake={"host": host}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "intake.example", "127.0.0.1.example", ""])
def test_every_other_host_needs_a_token(host: str) -> None:
    with pytest.raises(SettingsError, match="WATCHKEEPER_INTAKE__TOKENS__NAME"):
        require_authentication(settings(intake={"host": host}))
    require_authentication(settings(intake={"host": host, "tokens": {"ada": TOKEN}}))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_an_empty_token_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match=r"intake\.tokens\.ada is empty"):
        require_authentication(settings(intake={"host": host, "tokens": {"ada": " ", "bob": OTHER}}))
