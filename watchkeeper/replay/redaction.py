"""Taking secrets out of a recorded history so that it still replays (pure)."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote, quote_plus

from watchkeeper.contracts import JsonObject

_SHORTEST_SECRET = 6
"""Anything shorter is a word that also means something else."""

_DEEP = 4
"""How often JSON may stand within JSON: a log line within what a tool found within what the model is told."""

_URL_SAFE = str.maketrans("+/", "-_")

_SHAPES = re.compile(
    r"""
    (?<![A-Za-z0-9])(?:
      sk-[\w-]{16,} | gh[opsur]_\w{20,} | github_pat_\w{20,} | glpat-[\w-]{16,} | glc_[\w+/=]{20,} | glsa_\w{20,}
    | xox[abeoprs]-[\w-]{10,} | xapp-[\w-]{10,} | (?:AKIA|ASIA)[0-9A-Z]{16} | AIza[\w-]{30,} | npm_\w{30,} | hf_\w{20,}
    | whsec_[\w+/=]{16,} | [rs]k_(?:live|test)_\w{10,} | dp\.[a-z]{2}\.\w{20,} | hvs\.[\w-]{20,}
    | eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+
    | https://hooks\.slack\.com/[\w/-]+
    )
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    | (?<=[Bb]earer[ ])[\w.~+/=-]{12,}
    | (?<=://)[^\s/:@"']+:[^\s/@"']+(?=@)
    """,
    re.VERBOSE | re.DOTALL,
)
"""What looks like a key of one of the services that people on call use, in whatever text it stands."""


class Redaction:
    """Gives each secret a name of its own, for code may compare texts: two that differed still do."""

    def __init__(self, secrets: Iterable[str]) -> None:
        long_enough = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        known = sorted(long_enough, key=lambda secret: (-len(secret), secret))
        self._names = {
            spelling: f"(secret {n})" for n, secret in enumerate(known, 1) for spelling in _spellings(secret)
        }
        self._known = re.compile("|".join(map(re.escape, sorted(self._names, key=len, reverse=True))) or r"(?!)")
        self._count = len(known)
        self.found: set[str] = set()
        """The names of those that were taken out."""

    def history(self, recorded: JsonObject) -> JsonObject:
        """Return a history, as JSON, without secrets: not in payloads, memo, headers, failures, summaries."""
        redacted = self._member(recorded)
        assert isinstance(redacted, dict)
        return redacted

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
        """Redact what a payload holds: JSON in its texts, anything else as the text that it is."""
        held = b64decode(data).decode(errors="surrogateescape")
        try:
            decoded = json.loads(held)
        except ValueError:
            redacted = self.text(held)
        else:
            cleared = self._json(decoded)
            redacted = held if cleared == decoded else json.dumps(cleared, separators=(",", ":"))
        return b64encode(redacted.encode(errors="surrogateescape")).decode()

    def _json(self, value: object) -> object:
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(name): self._json(member) for name, member in value.items()}
            case list():
                return [self._json(member) for member in value]
            case _:
                return value

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        return _SHAPES.sub(self._named, self._known.sub(self._named, text))

    def _named(self, found: re.Match[str]) -> str:
        secret = found[0]
        if secret not in self._names:
            self._count += 1
            self._names[secret] = f"(secret {self._count})"
        self.found.add(self._names[secret])
        return self._names[secret]


def _spellings(secret: str) -> Iterator[str]:
    """Give how a secret is written: as it is, in JSON within JSON, in an address, in HTML, in base64."""
    yield secret
    yield escape(secret)
    for percented in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        yield percented
        yield re.sub("%..", lambda found: found[0].lower(), percented)
    for ascii_only in (True, False):
        written = secret
        for _ in range(_DEEP):
            written = json.dumps(written, ensure_ascii=ascii_only)[1:-1]
            yield written
    yield from _in_base64(secret.encode())


def _in_base64(secret: bytes) -> Iterator[str]:
    """Give what of the base64 of a secret is the same whatever stands around it: ``Basic`` encodes a name as well."""
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        encoded = b64encode(bytes(before) + secret)[first:last].decode()
        yield encoded
        yield encoded.translate(_URL_SAFE)
