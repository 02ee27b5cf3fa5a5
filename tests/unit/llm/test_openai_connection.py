"""What reaches the host of a profile: address, query, headers, key, certificates; through a proxy where one is set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import PrivateCA
from tests.support.raw_host import SAID, RawHost, raw_host
from watchkeeper.config.settings import ModelProfile, Settings, SettingsError
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.errors import ModelError
from watchkeeper.temporal.ports import HOST

BODY = b'{"messages":[]}'
KEY = "sk-0123456789abcdef"
TOKEN = "eyJ0eXAiOiJKV1QifQ.eyJhdWQiOiJhIn0.c2lnbmF0dXJl"
AZURE = "/openai/deployments"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("API_KEY", "BASE_URL", "ORG_ID", "PROJECT_ID", "CUSTOM_HEADERS", "ADMIN_KEY", "API_VERSION"):
        monkeypatch.delenv(f"OPENAI_{name}", raising=False)
    return monkeypatch


async def ask(host: RawHost, path: str = "/v1", **model: Any) -> None:
    """Ask the host once; ``path`` follows its address."""
    profile = {"base_url": f"http://{HOST}:{host.port}{path}", "name": "m", "api_key": KEY, **model}
    await complete(ModelProfile.model_validate(profile))


async def complete(profile: ModelProfile) -> None:
    client = ModelClient(profile)
    try:
        assert (await client.complete(BODY)).body == SAID
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("path", "model", "target"),
    [
        ("/v1", {}, "/v1/chat/completions"),
        ("", {}, "/chat/completions"),
        ("/v1/?tenant=a%26b", {}, "/v1/chat/completions?tenant=a%26b"),
        ("/v1/chat/completions?a=1&b=", {}, "/v1/chat/completions?a=1&b="),
        ("/v1?a=1", {"query": {"b": 2}}, "/v1/chat/completions?a=1&b=2"),
        ("/v1?a=1", {"query": {"a": "2"}}, "/v1/chat/completions?a=2"),
        ("", {"api_version": "2024-10-21"}, f"{AZURE}/m/chat/completions?api-version=2024-10-21"),
        (
            "/",
            {"api_version": "2024-10-21", "deployment": "k 2"},
            f"{AZURE}/k%202/chat/completions?api-version=2024-10-21",
        ),
        ("/openai", {"api_version": "2024-10-21"}, f"{AZURE}/m/chat/completions?api-version=2024-10-21"),
        (
            f"{AZURE}/kimi/chat/completions?api-version=2025-01-01-preview",
            {},
            f"{AZURE}/kimi/chat/completions?api-version=2025-01-01-preview",
        ),
        ("/apim", {"api_version": "2024-10-21"}, f"/apim{AZURE}/m/chat/completions?api-version=2024-10-21"),
        ("/openai/v1/", {}, "/openai/v1/chat/completions"),
        ("/openai/v1", {"api_version": "preview"}, "/openai/v1/chat/completions?api-version=preview"),
        ("/models", {"api_version": "2024-05-01-preview"}, "/models/chat/completions?api-version=2024-05-01-preview"),
    ],
)
async def test_the_target_of_a_request(path: str, model: dict[str, Any], target: str) -> None:
    async with raw_host() as host:
        await ask(host, path, **model)
    assert host.line() == f"POST {target} HTTP/1.1"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({}, {"authorization": f"Bearer {KEY}"}),
        ({"key_header": "X-Api-Key"}, {"x-api-key": KEY, "authorization": None}),
        ({"api_version": "2024-10-21"}, {"api-key": KEY, "authorization": None}),
        ({"api_version": "2024-10-21", "api_key": TOKEN}, {"api-key": None, "authorization": f"Bearer {TOKEN}"}),
        ({"api_version": "2024-10-21", "key_header": "X-Sub"}, {"x-sub": KEY, "api-key": None, "authorization": None}),
        ({"api_key": None, "headers": {"Authorization": "Basic YTpi"}}, {"authorization": "Basic YTpi"}),
        ({"headers": {"x_team": "sre", "X-On": True}}, {"x-team": "sre", "x-on": "true"}),
        (
            {"organization": "org-1", "project": "proj-1"},
            {"openai-organization": "org-1", "openai-project": "proj-1"},
        ),
        ({"headers": {"User-Agent": "mine"}}, {"user-agent": "mine"}),
    ],
    ids=str,
)
async def test_the_headers_of_a_request(model: dict[str, Any], expected: dict[str, str | None]) -> None:
    async with raw_host() as host:
        await ask(host, "", **model)
    headers = host.headers()
    assert {name: headers.get(name) for name in expected} == expected


async def test_variables_of_openai_reach_only_the_profile_that_has_taken_them(
    environment: pytest.MonkeyPatch,
) -> None:
    for name in ("API_KEY", "ORG_ID", "PROJECT_ID", "ADMIN_KEY", "API_VERSION"):
        environment.setenv(f"OPENAI_{name}", f"{name}-of-the-environment")
    environment.setenv("OPENAI_CUSTOM_HEADERS", "X-Ambient: ambient-of-the-environment")
    async with raw_host() as host, raw_host() as other:
        environment.setenv("OPENAI_BASE_URL", f"http://{HOST}:{host.port}/v1")
        fallback = {"base_url": f"http://{HOST}:{other.port}/v1", "name": "f"}
        settings = Settings.model_validate({"fallbacks": [fallback]})
        for profile in settings.profiles:
            await complete(profile)
    headers = host.headers()
    assert headers["authorization"] == "Bearer API_KEY-of-the-environment"
    assert headers["openai-organization"] == "ORG_ID-of-the-environment"
    assert headers["openai-project"] == "PROJECT_ID-of-the-environment"
    assert headers["x-ambient"] == "ambient-of-the-environment"
    assert "of-the-environment" not in other.heads[0]


async def test_a_password_in_the_address_is_sent_as_basic_authentication() -> None:
    async with raw_host() as host:
        url = f"http://ada:p%40ss@{HOST}:{host.port}/v1"
        await complete(ModelProfile.model_validate({"base_url": url, "name": "m"}))
    assert host.headers()["authorization"] == "Basic YWRhOnBAc3M="


async def test_a_request_passes_through_the_proxy() -> None:
    async with raw_host() as proxy:
        profile = {"base_url": "http://model.example/v1", "api_key": KEY, "proxy": f"http://me:pw@{HOST}:{proxy.port}"}
        await complete(ModelProfile.model_validate(profile))
    assert proxy.line() == "POST http://model.example/v1/chat/completions HTTP/1.1"
    assert proxy.headers()["proxy-authorization"] == "Basic bWU6cHc="


async def test_a_proxy_of_the_environment_is_used(environment: pytest.MonkeyPatch) -> None:
    async with raw_host() as proxy:
        environment.setenv("HTTP_PROXY", f"http://{HOST}:{proxy.port}")
        await complete(ModelProfile.model_validate({"base_url": "http://model.example/v1", "api_key": KEY}))
    assert proxy.line() == "POST http://model.example/v1/chat/completions HTTP/1.1"


# --- TLS ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", [None, "hunter2"])
async def test_a_private_ca_and_a_client_certificate(tmp_path: Path, password: str | None) -> None:
    ca = PrivateCA(tmp_path)
    certificate, key = ca.issue("client", password)
    async with raw_host(tls=ca.server_context(asks_for_certificate=True)) as host:
        profile = {
            "base_url": f"https://{HOST}:{host.port}/v1",
            "api_key": KEY,
            "ca_file": str(ca.file),
            "client_cert_file": str(certificate),
            "client_key_file": str(key),
            "client_key_password": password,
        }
        await complete(ModelProfile.model_validate(profile))
    assert len(host.heads) == 1


async def test_an_unknown_ca_is_an_error_that_names_it(tmp_path: Path) -> None:
    ca = PrivateCA(tmp_path)
    async with raw_host(tls=ca.server_context()) as host:
        profile = {"base_url": f"https://{HOST}:{host.port}/v1", "api_key": KEY}
        with pytest.raises(ModelError, match="CERTIFICATE_VERIFY_FAILED"):
            await complete(ModelProfile.model_validate(profile))
    assert host.heads == []


@pytest.mark.parametrize("name", ["ca_file", "client_cert_file", "client_key_password"])
def test_a_bad_certificate_is_an_error_that_names_the_file(tmp_path: Path, name: str) -> None:
    certificate, key = PrivateCA(tmp_path).issue("client", "hunter2")
    other = tmp_path / "other.pem"
    other.write_text("no certificate")
    files: dict[str, dict[str, str]] = {
        "ca_file": {"ca_file": str(tmp_path / "missing.pem")},
        "client_cert_file": {"client_cert_file": str(other)},
        "client_key_password": {
            "client_cert_file": str(certificate),
            "client_key_file": str(key),
            "client_key_password": "wrong",
        },
    }
    profile = {"base_url": "https://model.example/v1", "api_key": KEY, **files[name]}
    with pytest.raises(SettingsError) as refused:
        ModelClient(ModelProfile.model_validate(profile))
    text = str(refused.value)
    assert next(iter(files[name].values())) in text
    assert "https://model.example/v1" in text
    assert "name a" in text
    assert name == "ca_file" or "client_key_password" in text


# --- keys that change ---------------------------------------------------------------------------------------------


def accepts(key: str) -> Any:
    return lambda head: (200, SAID) if f"Bearer {key}\r\n" in head else (401, b'{"error":{"message":"bad key"}}')


async def test_a_key_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first-key-of-mine\n")
    async with raw_host() as host:
        url = f"http://{HOST}:{host.port}/v1"
        client = ModelClient(ModelProfile.model_validate({"base_url": url, "api_key_file": str(file)}))
        for key in ("first-key-of-mine", "first-key-of-mine", "second-key"):
            if key == "second-key":
                file.write_text(key)
            await client.complete(BODY)
            assert host.headers()["authorization"] == f"Bearer {key}"
        await client.close()


async def test_a_refused_key_is_fetched_again(tmp_path: Path) -> None:
    counter = tmp_path / "runs"
    code = f"open({str(counter)!r}, 'a').write('x'); print('key-number-' + str(len(open({str(counter)!r}).read())))"
    async with raw_host(accepts("key-number-2")) as host:
        url = f"http://{HOST}:{host.port}/v1"
        profile = {"base_url": url, "api_key_command": [sys.executable, "-c", code]}
        client = ModelClient(ModelProfile.model_validate(profile))
        await client.complete(BODY)
        await client.complete(BODY)
        await client.close()
    sent = [host.headers(request)["authorization"] for request in range(len(host.heads))]
    assert sent == ["Bearer key-number-1", "Bearer key-number-2", "Bearer key-number-2"]
    assert counter.read_text() == "xx"


async def test_a_key_that_stays_refused_is_an_error_after_one_request(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("the-old-key")
    async with raw_host(accepts("another")) as host:
        url = f"http://{HOST}:{host.port}/v1"
        with pytest.raises(ModelError) as refused:
            await complete(ModelProfile.model_validate({"base_url": url, "api_key_file": str(file)}))
    assert (refused.value.reason, len(host.heads)) == ("auth", 1)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"api_key_file": "/no/such/file"}, "api_key_file '/no/such/file' cannot be read: No such file or directory"),
        ({"api_key_command": "/no/such/program a"}, "api_key_command '/no/such/program' cannot be started"),
        ({"api_key_command": ["false"]}, "api_key_command 'false' ended with exit code 1"),
        ({"api_key_command": ["echo"]}, "the key that it printed is empty"),
        ({"api_key_command": ["printf", "a\\nb"]}, "the key that it printed contains characters"),
    ],
    ids=str,
)
async def test_a_key_that_cannot_be_read_is_an_outage(source: dict[str, Any], text: str) -> None:
    profile = ModelProfile.model_validate({"base_url": "http://127.0.0.1:1/v1", "name": "kimi", **source})
    with pytest.raises(ModelError) as failed:
        await complete(profile)
    assert failed.value.reason == "unavailable"
    assert "no key for the model 'kimi'" in str(failed.value)
    assert text in str(failed.value)


async def test_keys_that_change_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("the-key-in-a-file")
    async with raw_host(lambda head: (400, head.encode())) as host:
        url = f"http://{HOST}:{host.port}/v1"
        profile = {"base_url": url, "api_key_file": str(file), "headers": {"X-Token": "a-secret-header"}}
        with pytest.raises(ModelError) as failed:
            await complete(ModelProfile.model_validate(profile))
    assert "the-key-in-a-file" in host.heads[0]
    assert "the-key-in-a-file" not in str(failed.value)
    assert "a-secret-header" not in str(failed.value)
