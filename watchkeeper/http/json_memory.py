"""How much memory a JSON text takes when Python parses it. Many small values take 30 times their text."""

from __future__ import annotations

import re

MAX_BYTES = 48 * 2**20
"""Most memory for one parsed response. A worker often has 256 MiB, and needs 110 without any run."""

_CONTAINER_BYTES = 150
"""Measured with Python 3.11: 56 for an empty list to 230 for an object with one member."""

_VALUE_BYTES = 60

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


class JsonTooLarge(ValueError):
    """Parsing a text would take too much memory."""


def require_small_json(body: bytes) -> None:
    """Raise JsonTooLarge if a JSON text would take more than ``MAX_BYTES`` when it is parsed."""
    if _estimate(body) > MAX_BYTES and _estimate(_STRING.sub(b"", body)) > MAX_BYTES:
        raise JsonTooLarge(f"{len(body):,} bytes of JSON with too many values to be parsed")


def _estimate(text: bytes) -> int:
    return _CONTAINER_BYTES * (text.count(b"[") + text.count(b"{")) + _VALUE_BYTES * text.count(b",")
