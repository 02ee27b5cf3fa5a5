"""``[sources.NAME]`` in the file, in the environment and in secret files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.alert_requests import posted, refused, source, verify
from tests.support.settings import build_settings
from watchkeeper.alerts.registry import source_kinds
from watchkeeper.alerts.sources.cloudwatch import CloudWatchSection
from watchkeeper.alerts.sources.pagerduty import PagerDutySection
from watchkeeper.config.settings import SettingsError, load_settings

FILE = """
[sources.prod-am]
kind = "alertmanager"
severities = ["purple", "SEV-1"]
labels = { environment = ["prod*", "live"] }
ignore = { alertname = "Watchdog" }

[sources.pd]
kind = "pagerduty"
own_agents = ["PABC"]
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "watchkeeper.toml").write_text(FILE)


def plain(secrets: list[SecretStr]) -> list[str]:
    return [secret.get_secret_value() for secret in secrets]


def test_secrets_come_from_the_environment_and_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "WATCHKEEPER_SOURCES__PD__SECRETS").write_text("new+/=\nold\n")
    monkeypatch.setenv("WATCHKEEPER_SECRETS_DIR", str(tmp_path / "secrets"))
    monkeypatch.setenv("WATCHKEEPER_SOURCES__PROD_AM__TOKENS", "12345")
    settings = load_settings()
    assert plain(settings.sources["prod-am"].tokens) == ["12345"]
    assert plain(settings.sources["pd"].secrets) == ["new+/=", "old"]
    assert settings.sources["prod-am"].severities == ["purple", "SEV-1"]
    assert {"12345", "new+/=", "old"} <= set(settings.secrets)
    shown = f"{settings!r} {settings} {settings.sources['pd']!r}"
    assert not any(secret in shown for secret in ("12345", "new+/=", "'old'"))


@pytest.mark.parametrize("value", ['["a", "b"]', "a\nb", " a \n\n b "])
def test_several_secrets_in_one_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_SOURCES__PROD_AM__TOKENS", value)
    monkeypatch.setenv("WATCHKEEPER_SOURCES__PD__SECRETS", "x")
    assert plain(load_settings().sources["prod-am"].tokens) == ["a", "b"]


def test_other_keys_of_a_kind_can_be_set_by_variables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    topics = ["arn:aws:sns:eu-west-1:1:a", "arn:aws:sns:eu-west-1:1:b"]
    for key, value in [
        ("KIND", "cloudwatch"),
        ("TOPICS", "\n".join(topics)),
        ("SEVERITIES", "page"),
        ("ALSO", '["test"]'),
    ]:
        monkeypatch.setenv(f"WATCHKEEPER_SOURCES__AWS__{key}", value)
    monkeypatch.setenv("WATCHKEEPER_SOURCES__AWS__LABELS", '{"env": "prod"}')
    monkeypatch.setenv("WATCHKEEPER_SOURCES__PROD_AM__TOKENS", "t")
    monkeypatch.setenv("WATCHKEEPER_SOURCES__PD__SECRETS", "x")
    monkeypatch.setenv("WATCHKEEPER_SOURCES__PD__OWN_AGENTS", "12345")
    sources = load_settings().sources
    assert isinstance(aws := sources["aws"], CloudWatchSection)
    assert isinstance(pd := sources["pd"], PagerDutySection)
    assert (aws.topics, aws.severities, aws.also, aws.labels) == (topics, ["page"], ["test"], {"env": ["prod"]})
    assert pd.own_agents == ["12345"]


def error_of(**table: Any) -> str:
    with pytest.raises(ValueError) as caught:
        build_settings(sources={"here": table})
    return str(caught.value)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            {},
            "has no kind; there are: alertmanager, cloudwatch, datadog, generic, grafana, opsgenie, pagerduty, sentry",
        ),
        ({"kind": "nagios"}, "unknown kind of source; the kinds are: alertmanager"),
        ({"kind": "source"}, "unknown kind of source"),
        ({"kind": "mapped"}, "unknown kind of source"),
        ({"kind": "../x"}, "unknown kind of source"),
        ({"kind": "alertmanager"}, "anyone could send alerts; set tokens, or username and passwords, or"),
        ({"kind": "grafana"}, "anyone could send alerts; set secrets, tokens, or username"),
        ({"kind": "alertmanager", "secrets": ["s3cret"]}, "senders of kind alertmanager do not sign; set tokens"),
        ({"kind": "alertmanager", "passwords": ["s3cret"]}, "username and passwords go together"),
        ({"kind": "alertmanager", "username": "u", "tokens": ["s3cret"]}, "username and passwords go together"),
        ({"kind": "grafana", "unauthenticated": True, "secrets": ["s3cret"]}, "unauthenticated is true, but there are"),
        ({"kind": "grafana", "secrets": ["s3cret", ""]}, "secrets: contains an empty secret"),
        ({"kind": "grafana", "secrets": "[s3cret"}, "secrets: starts like a JSON list but is not valid"),
        ({"kind": "grafana", "secrets": ["s3cret\u00e9"]}, "secrets.0: contains characters that an HTTP header cannot"),
        ({"kind": "grafana", "token": "s3cret"}, "token: Extra inputs are not permitted"),
        ({"kind": "grafana", "tokens": ["s3cret"], "token_header": "a b"}, "token_header: String should match"),
        ({"kind": "cloudwatch"}, "topics: Field required"),
        ({"kind": "cloudwatch", "topics": ["mine"]}, "topics: 'mine' is not the ARN of an SNS topic"),
        ({"kind": "cloudwatch", "topics": []}, "topics: List should have at least 1 item"),
        ({"kind": "standard_webhooks", "secrets": ["whsec_s3cret!"]}, "secrets: each must be whsec_ and base64"),
        ({"kind": "generic", "secrets": ["s3cret"]}, "secrets need signature_header"),
        ({"kind": "generic", "tokens": ["s3cret"], "signed": "x"}, "signed must hold {body} once"),
        ({"kind": "generic", "tokens": ["s3cret"], "signed": "{timestamp}{body}"}, "timestamp_header and {timestamp}"),
        ({"kind": "generic", "tokens": ["s3cret"], "fields": {"titel": "x"}}, "fields.titel: Extra inputs"),
        (
            {"kind": "generic", "tokens": ["s3cret"], "fields": {"title": ["a", ""]}},
            "fields.title: a path must not be empty",
        ),
    ],
)
def test_invalid_settings_are_refused_with_the_remedy(table: dict[str, Any], expected: str) -> None:
    message = error_of(**table)
    assert expected in message
    assert "s3cret" not in message


def test_an_invalid_source_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "sources.prod-am: anyone could send alerts" in str(caught.value)
    assert "sources.pd: anyone could send alerts" in str(caught.value)


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "-a", "a" * 51])
def test_a_name_must_fit_into_a_url(name: str) -> None:
    with pytest.raises(ValueError, match="sources"):
        build_settings(sources={name: {"kind": "alertmanager", "tokens": ["t"]}})


def test_every_kind_is_listed() -> None:
    assert source_kinds() == [
        *("alertmanager", "cloudwatch", "datadog", "generic", "grafana"),
        *("opsgenie", "pagerduty", "sentry", "standard_webhooks"),
    ]


@pytest.mark.parametrize("kind", [kind for kind in source_kinds() if kind != "cloudwatch"])
async def test_every_kind_accepts_a_token(kind: str) -> None:
    guarded = source(kind, tokens=["t"])
    await verify(guarded, posted(b"", authorization="Bearer t"))
    await refused(guarded, posted(b""))
