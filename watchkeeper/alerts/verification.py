"""Proving who sent a body: in constant time, over the bytes as they came, with any of several secrets."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence

from pydantic import SecretStr

from watchkeeper.alerts.timestamps import parse_timestamp
from watchkeeper.config.alert_source import SourceSection

TOLERANCE = 300.0
"""Seconds that the clocks of sender and receiver may be apart, and that a signed body stays good."""

_MOST_SIGNATURES = 10
"""A sender that changes its secret shows two."""


class VerificationError(Exception):
    """Nothing proves who sent a body. The text is for the operator's log, not for the sender."""


def matches_any(shown: str, expected: Iterable[bytes]) -> bool:
    """Tell whether what was shown is one of what is expected, in a time that does not tell which or how much of it."""
    presented = shown.encode("utf-8", "surrogatepass")
    return any([hmac.compare_digest(presented, good) for good in expected])


def secret_bytes(secrets: Iterable[SecretStr]) -> list[bytes]:
    """Return secrets as the bytes they stand for."""
    return [secret.get_secret_value().encode() for secret in secrets]


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Sign a message."""
    return hmac.new(key, message, hashlib.sha256).digest()


def check_signatures(shown: Sequence[str], expected: Sequence[bytes]) -> None:
    """Take a body of whose signatures one is as expected. Raises VerificationError."""
    if not shown:
        raise VerificationError("it is not signed")
    if not any([matches_any(signature, expected) for signature in shown[:_MOST_SIGNATURES]]):
        raise VerificationError("its signature is of another secret or another body")


def check_age(timestamp: str | None, now: float, tolerance: float = TOLERANCE) -> None:
    """Take a body that was signed just now, in Unix seconds or ISO 8601. Raises VerificationError."""
    try:
        signed_at = parse_timestamp(timestamp)
    except ValueError:
        signed_at = None
    if signed_at is None:
        raise VerificationError("it does not say when it was signed")
    age = now - signed_at / 1e6
    if abs(age) > tolerance:
        raise VerificationError(
            f"it was signed {age:.0f} seconds ago; it is a replay, or one of the two clocks is wrong"
        )


def check_credentials(section: SourceSection, headers: Mapping[str, str]) -> None:
    """Check the token or password of a request if its source has one. Raises VerificationError."""
    given = headers.get("authorization", "")
    _, _, credentials = given.partition(" ")
    good: list[bool] = []
    if section.tokens:
        own_header = section.token_header != "authorization"
        shown = headers.get(section.token_header, "") if own_header else credentials or given
        good.append(matches_any(shown.strip(), secret_bytes(section.tokens)))
    if section.passwords:
        pairs = [f"{section.username}:".encode() + password for password in secret_bytes(section.passwords)]
        good.append(matches_any(credentials.strip(), [b64encode(pair) for pair in pairs]))
    if good and not any(good):
        raise VerificationError("it shows no token or password that is good here")
