"""Secrets leave no exported history, and what is left still replays."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from pathlib import Path

import pytest

from tests.support.paths import HISTORIES
from watchkeeper.contracts import JsonObject
from watchkeeper.replay.redaction import Redaction
from watchkeeper.testing.replay import assert_replays

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"


def payload(value: object, encoding: str = "json/plain") -> JsonObject:
    data = value if isinstance(value, str) and encoding != "json/plain" else json.dumps(value)
    return {"metadata": {"encoding": b64encode(encoding.encode()).decode()}, "data": b64encode(data.encode()).decode()}


def held(payload: JsonObject) -> str:
    return b64decode(payload["data"]).decode()


@pytest.mark.parametrize(
    "key",
    [
        *("sk-proj-Abc123Abc123Abc123Abc1", "ghp_Abc123Abc123Abc123Abc123", "github_pat_11ABCDEFG0123456789abc"),
        *("xoxb-123456789012-Abc123", "AKIAIOSFODNN7EXAMPLE", "glsa_Abc123Abc123Abc123Abc123", JWT, PEM),
        "https://hooks.slack.com/services/T000/B000/XXXXXXXX",
    ],
)
def test_what_looks_like_a_key_is_taken_out_wherever_it_stands(key: str) -> None:
    redaction = Redaction([])
    assert redaction.text(f"see {key}, then") == "see (secret 1), then"
    nested = redaction.history({"input": payload({"arguments": json.dumps({"token": key})})})
    assert "(secret" in held(nested["input"])
    assert key not in held(nested["input"])


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer (secret 1)"),
        ("postgres://ada:hunter2@db/app", "postgres://(secret 1)@db/app"),
        ("the task-force-of-twenty-people met", "the task-force-of-twenty-people met"),
        ("https://grafana/d/abc?from=now-1h", "https://grafana/d/abc?from=now-1h"),
        ("http://[::1]:9090/api at 10:30 @ada", "http://[::1]:9090/api at 10:30 @ada"),
    ],
)
def test_nothing_else_is_touched(text: str, redacted: str) -> None:
    assert Redaction([]).text(text) == redacted


def test_each_secret_has_a_name_of_its_own_and_the_same_everywhere() -> None:
    redaction = Redaction(["first-secret", "other-secret", "short"])
    assert redaction.text("other-secret first-secret other-secret short") == "(secret 2) (secret 1) (secret 2) short"
    assert len(redaction.found) == 2


def test_a_secret_is_found_in_whatever_spelling() -> None:
    secret = 'pa"ss\\wörd/1'
    redaction = Redaction([secret])
    once, twice = json.dumps({"key": secret}), json.dumps({"arguments": json.dumps({"key": secret})})
    plain = json.dumps({"key": secret}, ensure_ascii=False)
    for text in (secret, once, twice, plain, "http://x/?key=pa%22ss%5Cw%C3%B6rd%2F1"):
        assert "(secret 1)" in redaction.text(text)
        assert not {"pa", "ss", "rd"} & set(redaction.text(text).replace("(secret 1)", "").split('"')), text


@pytest.mark.parametrize("user", ["", "a:", "ab:", "abc:", "häufig:"])
def test_nor_does_base64_hide_one(user: str) -> None:
    secret = "0123456789-tok?n~"
    for encode in (b64encode, urlsafe_b64encode):
        written = encode(f"{user}{secret}".encode()).decode()
        cleared = Redaction([secret]).text(f"Authorization: Basic {written}")
        before, _, after = cleared.removeprefix("Authorization: Basic ").partition("(secret 1)")
        assert "(secret 1)" in cleared
        assert written.startswith(before) and written.endswith(after) and len(before + after) <= len(user) * 2 + 5


@pytest.mark.parametrize("written", ["pa%22ss%20%5c1%2f", "pa%22ss+%5C1%2F", "pa%22ss%20%5C1/", "pa&quot;ss \\1/"])
def test_nor_do_addresses_and_pages(written: str) -> None:
    assert Redaction(['pa"ss \\1/']).text(f"?t={written}&x") == "?t=(secret 1)&x"


def test_a_secret_between_bytes_that_are_no_text_is_taken_out() -> None:
    around = {"metadata": {"encoding": ""}, "data": b64encode(b"\xff\xfethe-secret-word\xfd").decode()}
    cleared = Redaction(["the-secret-word"]).history({"input": around})
    assert b64decode(cleared["input"]["data"]) == b"\xff\xfe(secret 1)\xfd"


def test_payloads_headers_memo_failures_and_keys_are_cleared() -> None:
    secret = "the-secret-word"
    event = {
        "workflowExecutionStartedEventAttributes": {
            "input": {"payloads": [payload({"text": f"use {secret}", secret: [1.5, None]})]},
            "memo": {"fields": {"text": payload(secret)}},
            "header": {"fields": {"trace": payload(secret, "json/protobuf")}},
        },
        "userMetadata": {"summary": payload(f"with {secret}")},
        "activityTaskFailedEventAttributes": {"failure": {"message": f"no {secret}", "stackTrace": secret}},
        "workflowExecutionSignaledEventAttributes": {"input": {"payloads": [payload(secret, "binary/plain")]}},
    }
    cleared = Redaction([secret]).history({"events": [event]})
    texts = json.dumps(cleared) + "".join(b64decode(found).decode() for found in _data(cleared))
    assert secret not in texts
    assert texts.count("(secret 1)") == 8


def _data(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["data"]] if isinstance(value.get("data"), str) else []
        return own + [found for member in value.values() for found in _data(member)]
    return [found for member in value for found in _data(member)] if isinstance(value, list) else []


def test_what_holds_no_secret_stays_byte_for_byte() -> None:
    recorded = json.loads((HISTORIES / "compacted.json").read_text())
    assert Redaction(["a-secret-that-is-nowhere"]).history(recorded) == recorded


@pytest.mark.parametrize("name", ["concluded", "parallel-calls", "failure-limit", "approved", "continue-as-new-2"])
def test_a_history_without_its_secrets_still_replays(name: str, tmp_path: Path) -> None:
    recorded = json.loads((HISTORIES / f"{name}.json").read_text())
    redaction = Redaction(["checkout", "payments", "degraded", "Checkout"])
    cleared = redaction.history(recorded)
    assert redaction.found
    (tmp_path / "cleared.json").write_text(json.dumps(cleared))
    assert_replays(tmp_path / "cleared.json")
