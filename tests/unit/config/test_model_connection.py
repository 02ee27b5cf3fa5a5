"""How the host of a model is reached: what the settings accept, what they refuse, and what OPENAI_* variables add."""

from __future__ import annotations

from typing import Any

import pytest

from watchkeeper.config.openai_variables import key_source, missing_key
from watchkeeper.config.settings import ModelProfile, Settings, SettingsError, load_settings

SECRET = "s3cr3t-of-mine"
HOST = "https://model.example/v1"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> pytest.MonkeyPatch:
    for name in ("API_KEY", "BASE_URL", "ORG_ID", "PROJECT_ID", "CUSTOM_HEADERS"):
        monkeypatch.delenv(f"OPENAI_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def refused(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("base_url", "model.example/v1", "base_url 'model.example/v1' must be an http:// or https:// address, such as"),
        ("base_url", "https:///v1", "base_url 'https:///v1' must be an http:// or https:// address"),
        ("base_url", "https://a.example:port/v1", "base_url 'https://a.example:port/v1' must be"),
        ("base_url", "https://a.example/v 1", "base_url 'https://a.example/v 1' contains a space"),
        ("base_url", "https://a.example/v1#top", "ends with #top; remove that part"),
        ("base_url", "https://a.example/v1?a=1&a=2", "has the query parameter a twice; keep one of them"),
        ("base_url", "https://mine.openai.azure.com", "needs api_version, such as 2024-10-21"),
        ("api_version", "7", "api_version: '7' is not a version of Azure's API; write a date, such as 2024-10-21"),
        ("deployment", "kimi", "deployment = 'kimi' belongs to Azure's classic API and needs api_version"),
        ("headers", '{"a b": "c"}', "'a b' is not the name of an HTTP header; use letters, digits and hyphens"),
        ("headers", '{"Host": "c"}', "the header Host is set by the HTTP client; remove it"),
        ("headers", f'{{"X-Token": "{SECRET}é"}}', "contains characters that an HTTP header cannot contain"),
        ("headers", f'{{"authorization": "{SECRET}"}}', "api_key and headers.authorization are set; keep one of them"),
        ("api_key_file", "/run/key", "api_key and api_key_file are set; keep one of them"),
        ("api_key_command", "vault read", "api_key and api_key_command are set; keep one of them"),
        ("proxy", "socks5://a.example", "'socks5://a.example' is not the address of a proxy; write http://HOST:PORT"),
        ("proxy", f"ftp://me:{SECRET}@a.example", "'ftp://a.example' is not the address of a proxy"),
        ("client_key_file", "/key.pem", "client_key_file is set without client_cert_file; set both"),
    ],
)
def test_a_bad_value_is_named_with_its_remedy(environment: pytest.MonkeyPatch, key: str, value: str, text: str) -> None:
    found = refused(environment, WATCHKEEPER_MODEL__API_KEY="k", **{f"WATCHKEEPER_MODEL__{key.upper()}": value})
    assert "model" in found
    assert text in found
    assert SECRET not in found


def test_a_client_certificate_needs_tls() -> None:
    with pytest.raises(ValueError, match="client_cert_file needs TLS, and base_url is 'http:"):
        ModelProfile.model_validate({"base_url": "http://a.example/v1", "client_cert_file": "/c.pem"})


def test_secrets_in_headers_and_query_are_known_and_hidden() -> None:
    model = {
        "base_url": f"{HOST}?api-key=key-in-the-address&tenant=a-tenant",
        "headers": {"X-Gateway-Auth": f"Basic {SECRET}", "X-Environment": "production"},
        "proxy": "http://me:password-of-proxy@proxy.example:3128",
    }
    settings = Settings.model_validate({"model": model})
    assert {SECRET, f"Basic {SECRET}", "key-in-the-address", "password-of-proxy"} <= set(settings.secrets)
    assert {"production", "a-tenant"}.isdisjoint(settings.secrets)
    shown = f"{settings!r} {settings.model_dump_json()}"
    assert SECRET not in shown
    assert "key-in-the-address" not in shown


def test_variables_of_openai_are_used_below_the_settings(environment: pytest.MonkeyPatch) -> None:
    variables = {
        "OPENAI_BASE_URL": HOST,
        "OPENAI_API_KEY": " key-of-openai\n",
        "OPENAI_ORG_ID": "org-1",
        "OPENAI_PROJECT_ID": "proj-1",
        "OPENAI_CUSTOM_HEADERS": "X-A: 1\nx-b: 2",
    }
    for name, value in variables.items():
        environment.setenv(name, value)
    model = load_settings().model
    assert model.api_key and model.api_key.get_secret_value() == "key-of-openai"
    assert (model.base_url, model.organization, model.project) == (HOST, "org-1", "proj-1")
    assert {name: value.get_secret_value() for name, value in model.headers.items()} == {"X-A": "1", "x-b": "2"}
    assert key_source(model, variables) == "OPENAI_API_KEY"
    environment.setenv("WATCHKEEPER_MODEL__BASE_URL", "https://own.example/v1")
    environment.setenv("WATCHKEEPER_MODEL__API_KEY_FILE", "/run/key")
    environment.setenv("WATCHKEEPER_MODEL__ORGANIZATION", "org-2")
    environment.setenv("WATCHKEEPER_MODEL__HEADERS", '{"X-B": "3"}')
    own = load_settings().model
    assert (own.base_url, own.api_key, own.organization) == ("https://own.example/v1", None, "org-2")
    assert {name: value.get_secret_value() for name, value in own.headers.items()} == {"X-A": "1", "X-B": "3"}
    assert key_source(own, variables) == "api_key_file '/run/key'"


def test_the_key_of_openai_is_not_for_the_default_host(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OPENAI_API_KEY", "key-of-openai")
    environment.setenv("OPENAI_ORG_ID", "org-1")
    settings = load_settings()
    assert (settings.model.api_key, settings.model.organization) == (None, None)
    text = missing_key(settings.model, {"OPENAI_API_KEY": "key-of-openai"})
    assert "OPENAI_API_KEY is not sent to this default host" in text
    assert "OPENAI_BASE_URL or WATCHKEEPER_MODEL__BASE_URL" in text


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("OPENAI_BASE_URL", "api.example.com", "OPENAI_BASE_URL: 'api.example.com' must be an http:// or https://"),
        ("OPENAI_API_KEY", "key-é", "OPENAI_API_KEY: contains characters that an HTTP header cannot contain"),
        ("OPENAI_ORG_ID", "org\n1", "OPENAI_ORG_ID: contains characters"),
    ],
)
def test_a_bad_variable_of_openai_is_named(
    environment: pytest.MonkeyPatch, variable: str, value: str, text: str
) -> None:
    host = {} if variable == "OPENAI_BASE_URL" else {"WATCHKEEPER_MODEL__BASE_URL": HOST}
    host = {} if variable == "OPENAI_BASE_URL" else {"WATCHKEEPER_MODEL__BASE_URL": HOST}
    found = refused(environment, **host, **{variable: value})
    assert text in found


def test_a_command_is_a_list_or_a_line(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WATCHKEEPER_MODEL__API_KEY_COMMAND", "vault kv get '-field=a key' secret/model")
    assert load_settings().model.api_key_command == ["vault", "kv", "get", "-field=a key", "secret/model"]
    environment.setenv("WATCHKEEPER_MODEL__API_KEY_COMMAND", '["az", "account"]')
    assert load_settings().model.api_key_command == ["az", "account"]
