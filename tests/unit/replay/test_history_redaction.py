"""An exported history has no secrets, and still replays."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from tests.support.paths import HISTORIES
from watchkeeper.contracts import JsonObject
from watchkeeper.replay.history_redaction import HistoryRedactor
from watchkeeper.testing.replay_assertions import assert_replays


def payload(value: object, encoding: str = "json/plain") -> JsonObject:
    data = value if isinstance(value, str) and encoding != "json/plain" else json.dumps(value)
    return {"metadata": {"encoding": b64encode(encoding.encode()).decode()}, "data": b64encode(data.encode()).decode()}


def test_each_secret_has_its_own_number_everywhere() -> None:
    redactor = HistoryRedactor(["first-secret", "other-secret", "short"])
    assert redactor.text("other-secret first-secret other-secret short") == "(secret 2) (secret 1) (secret 2) short"
    assert len(redactor.removed) == 2


def test_a_secret_between_bytes_that_are_not_text_is_removed() -> None:
    around = {"metadata": {"encoding": ""}, "data": b64encode(b"\xff\xfethe-secret-word\xfd").decode()}
    redacted = HistoryRedactor(["the-secret-word"]).history({"input": around})
    assert b64decode(redacted["input"]["data"]) == b"\xff\xfe(secret 1)\xfd"


def test_payloads_headers_memo_failures_and_keys_are_redacted() -> None:
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
    redacted = HistoryRedactor([secret]).history({"events": [event]})
    texts = json.dumps(redacted) + "".join(b64decode(found).decode() for found in _data(redacted))
    assert secret not in texts
    assert texts.count("(secret 1)") == 8


def _data(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["data"]] if isinstance(value.get("data"), str) else []
        return own + [found for member in value.values() for found in _data(member)]
    return [found for member in value for found in _data(member)] if isinstance(value, list) else []


def test_a_history_without_secrets_is_unchanged() -> None:
    recorded = json.loads((HISTORIES / "compacted.json").read_text())
    assert HistoryRedactor(["a-secret-that-is-nowhere"]).history(recorded) == recorded


@pytest.mark.parametrize("name", ["concluded", "parallel-calls", "failure-limit", "approved", "continue-as-new-2"])
def test_a_history_without_its_secrets_still_replays(name: str, tmp_path: Path) -> None:
    recorded = json.loads((HISTORIES / f"{name}.json").read_text())
    redactor = HistoryRedactor(["checkout", "payments", "degraded", "Checkout"])
    redacted = redactor.history(recorded)
    assert redactor.removed
    (tmp_path / "redacted.json").write_text(json.dumps(redacted))
    assert_replays(tmp_path / "redacted.json")
