"""Removal of secrets from a recorded history, which still replays afterwards (pure)."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable

from watchkeeper.contracts import JsonObject
from watchkeeper.redaction import Redactor


class HistoryRedactor:
    """Replaces each secret by its own number: workflow code may compare texts, so different ones stay different."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._redactor = Redactor(secrets, self._placeholder)
        self._numbers = {secret: number for number, secret in enumerate(self._redactor.secrets, 1)}
        self.removed: set[str] = set()
        """The placeholders of the secrets that were removed."""

    def history(self, recorded: JsonObject) -> JsonObject:
        """Return a history, as JSON, without secrets in payloads, memo, headers, failures and summaries."""
        redacted = self._member(recorded)
        assert isinstance(redacted, dict)
        return redacted

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        return self._redactor.text(text)

    def _member(self, value: object) -> object:
        match value:
            case dict() if {"metadata", "data"} <= value.keys():
                return {**value, "data": self._data(value["data"])}
            case dict():
                return {name: self._member(member) for name, member in value.items()}
            case list():
                return [self._member(member) for member in value]
            case str():
                return self.text(value)
            case _:
                return value

    def _data(self, data: str) -> str:
        """Redact the base64 of a payload: the strings of JSON, and anything else as one text."""
        payload = b64decode(data).decode(errors="surrogateescape")
        try:
            decoded = json.loads(payload)
        except ValueError:
            redacted = self.text(payload)
        else:
            clean = self._redactor.json(decoded)
            redacted = payload if clean == decoded else json.dumps(clean, separators=(",", ":"))
        return b64encode(redacted.encode(errors="surrogateescape")).decode()

    def _placeholder(self, secret: str) -> str:
        placeholder = f"(secret {self._numbers.setdefault(secret, len(self._numbers) + 1)})"
        self.removed.add(placeholder)
        return placeholder
