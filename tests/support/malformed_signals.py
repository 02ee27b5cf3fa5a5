"""Arguments of signals that only a person sends by hand: none, several, of other types, encodings and sizes."""

from __future__ import annotations

import json
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.converter._extstore import _REFERENCE_ENCODING, _REFERENCE_MARKER_KEY, _REFERENCE_MESSAGE_TYPE

from watchkeeper.contracts import JsonObject

MEBIBYTE = 2**20


def payload(data: bytes, encoding: bytes = b"json/plain", **metadata: bytes) -> RawValue:
    """Return an argument that is sent exactly like this."""
    return RawValue(Payload(metadata={"encoding": encoding, **metadata}, data=data))


ALERT: JsonObject = {
    "source": "prod",
    "group": "by-hand",
    "fingerprint": "by-hand",
    "status": "firing",
    "title": "Sent by hand",
}
"""The least that an alert needs."""

ARGUMENTS: dict[str, list[Any]] = {
    "no argument": [],
    "two arguments": [{"alerts": [], "at": 0.0}, "more"],
    "null": [None],
    "null in JSON": [payload(b"null")],
    "true": [True],
    "a number": [7],
    "a huge number": [payload(b"1" + b"0" * 400)],
    "not a number": [payload(b"NaN")],
    "a list": [[]],
    "a list of alerts": [[ALERT]],
    "an empty object": [{}],
    "wrong fields": [{"run": "x", "alerts": "y"}],
    "wrong types": [{"alerts": [{**ALERT, "status": "on fire", "labels": 3}], "at": "soon"}],
    "an empty text": [""],
    "a text": ["an incident"],
    "a mebibyte of text": ["x" * MEBIBYTE],
    "a mebibyte of brackets": [payload(b"[" * MEBIBYTE)],
    "half of a character": [payload(rb'"\ud800"')],
    "JSON that is cut": [payload(b'{"alerts": [')],
    "no JSON": [payload(b"\xff\xfe\x00")],
    "no data": [payload(b"")],
    "bytes": [b"\x00\x01"],
    "JSON as bytes": [payload(json.dumps({"alerts": [ALERT], "at": 0.0}).encode(), b"binary/plain")],
    "null with data": [payload(b"data", b"binary/null")],
    "an encrypted payload": [payload(b"\x00\x01", b"binary/encrypted")],
    "an encoding that is no text": [payload(b"{}", b"\xff\xfe")],
    "no encoding": [RawValue(Payload(data=b"{}"))],
    "a Protobuf message": [payload(b"\x0a", b"binary/protobuf", messageType=b"temporal.api.common.v1.Payload")],
    "a Protobuf type that does not exist": [payload(b"{}", b"json/protobuf", messageType=b"no.such.Type")],
    "a Protobuf message without its type": [payload(b"{}", b"json/protobuf")],
    "a reference to a storage": [payload(b"{}", _REFERENCE_ENCODING)],
    "the same as Protobuf": [payload(b"{}", b"json/protobuf", messageType=_REFERENCE_MESSAGE_TYPE)],
    "an encoded reference": [payload(b"{}", b"binary/encrypted", **{_REFERENCE_MARKER_KEY: b"true"})],
}
"""By what is wrong with them: each is wrong for every signal."""


def hostile_alerts(size: int = MEBIBYTE) -> dict[str, JsonObject]:
    """Return notifications of the right form whose values no intake lets through, by what is wrong with them.

    ``size``: characters of each text that is too long.
    """
    alerts: dict[str, JsonObject] = {
        "the end of time": {"status": "resolved", "ends_at": 1e308},
        "before time": {"starts_at": -1e308},
        "the year 40000": {"status": "resolved", "starts_at": 1.2e12, "ends_at": 1.2e12},
        "a long name": {"fingerprint": "f" * size},
        "a long episode": {"episode": "e" * size},
        "a long title": {"title": "t" * size},
        "a long severity": {"severity": "s" * size},
        "a long service": {"service": "s" * size},
        "a long description": {"description": "\x01" * (size // 8)},
        "many labels": {"labels": {f"label{n}": "v" for n in range(size // 25)}},
        "a long link": {"links": {"runbook": "https://example.com/" + "x" * size}},
        "control characters": {"title": "\x1b[2J\x00\u202e", "severity": "\x07"},
        "empty texts": {"fingerprint": "", "title": "", "severity": "", "episode": ""},
    }
    whole: dict[str, JsonObject] = {
        "no alert": {"alerts": [], "at": 0.0},
        "an endless time of arrival": {"alerts": [{**ALERT, "status": "resolved"}], "at": 1e308},
        "long notes": {"alerts": [ALERT], "at": 0.0, "notes": ["n" * (size // 20)] * 20},
        "a long address": {"alerts": [ALERT], "at": 0.0, "silence": "https://example.com/" + "x" * size},
        "many alerts": {"alerts": [{**ALERT, "fingerprint": str(n)} for n in range(size // 200)], "at": 0.0},
    }
    return {**{name: {"alerts": [{**ALERT, **wrong}], "at": 0.0} for name, wrong in alerts.items()}, **whole}
