"""Verify the sender of a request: by signature over the raw body, by token or by password, in constant time."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence

from pydantic import SecretStr

from watchkeeper.alerts.timestamps import parse_timestamp
from watchkeeper.config.alert_source import SourceSection

TOLERANCE = 300.0
"""Seconds for which a signed request is accepted, before and after its timestamp."""

_MAX_SIGNATURES = 10
"""How many signatures of a request are checked. A sender that rotates its secret sends two."""


class VerificationError(Exception):
    """Nothing proves who sent a request. The message is for the operator's log, not for the sender."""


def matches_any(value: str, expected: Iterable[bytes]) -> bool:
    """Return whether a value equals one of the expected ones, in a time that does not depend on which or how much."""
    encoded = value.encode("utf-8", "surrogatepass")
    return any([hmac.compare_digest(encoded, candidate) for candidate in expected])


def secret_bytes(secrets: Iterable[SecretStr]) -> list[bytes]:
    """Return the bytes of secrets."""
    return [secret.get_secret_value().encode() for secret in secrets]


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return the HMAC-SHA256 of a message."""
    return hmac.new(key, message, hashlib.sha256).digest()


def check_signatures(signatures: Sequence[str], expected: Sequence[bytes]) -> None:
    """Check that one of the signatures is as expected. Raises VerificationError."""
    if not signatures:
        raise VerificationError("it is not signed")
    if not any([matches_any(signature, expected) for signature in signatures[:_MAX_SIGNATURES]]):
        raise VerificationError("its signature is of another secret or another body")


def check_age(timestamp: str | None, now: float, tolerance: float = TOLERANCE) -> None:
    """Check that a signed timestamp, in Unix seconds or ISO 8601, is recent. Raises VerificationError."""
    try:
        signed_at = parse_timestamp(timestamp)
    except ValueError:
        signed_at = None
    if signed_at is None:
        raise VerificationError("it has no valid timestamp")
    age = now - signed_at / 1e6
    if abs(age) > tolerance:
        raise VerificationError(f"it was signed {age:.0f} seconds ago: it is a replay, or one of the clocks is wrong")


def check_credentials(section: SourceSection, headers: Mapping[str, str]) -> None:
    """Check the token or password of a request if its source has one. Raises VerificationError."""
    authorization = headers.get("authorization", "")
    _, _, credentials = authorization.partition(" ")
    checks: list[bool] = []
    if section.tokens:
        own_header = section.token_header != "authorization"
        token = headers.get(section.token_header, "") if own_header else credentials or authorization
        checks.append(matches_any(token.strip(), secret_bytes(section.tokens)))
    if section.passwords:
        pairs = [f"{section.username}:".encode() + password for password in secret_bytes(section.passwords)]
        checks.append(matches_any(credentials.strip(), [b64encode(pair) for pair in pairs]))
    if checks and not any(checks):
        raise VerificationError("it has no valid token or password")
