"""Standard Webhooks signatures, by the ``standardwebhooks`` library (https://www.standardwebhooks.com).

Decision 0017 says which part of the library is not used, and why.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from pydantic import SecretStr
from standardwebhooks import Webhook

_PREFIX = "whsec_"
_MIN_BYTES = 16
"""A shorter key could be guessed from one signed body."""


def signing_key(secret: SecretStr) -> bytes:
    """Return the key of a secret. Raises ValueError unless it is ``whsec_`` and the base64 of at least 16 bytes."""
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else b""
    except binascii.Error:
        key = b""
    if len(key) < _MIN_BYTES:
        command = f"echo {_PREFIX}$(openssl rand -base64 32)"
        raise ValueError(f"must be {_PREFIX} and the base64 of at least {_MIN_BYTES} bytes; make one: {command}")
    return key


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a body, ``v1,BASE64``.

    Args:
        key: Key of the secret, not empty.
        message_id: Value of the header ``webhook-id``.
        timestamp: Unix seconds.
        body: UTF-8.

    Raises ValueError if the key is empty or the body is not UTF-8.
    """
    if not key:
        raise ValueError("the key is empty")
    return Webhook(key).sign(message_id, datetime.fromtimestamp(timestamp, UTC), body.decode())


def signature_headers(secret: SecretStr, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that sign a body at a time, in Unix seconds. Raises ValueError."""
    signature = sign(signing_key(secret), message_id, timestamp, body)
    return {"webhook-timestamp": str(timestamp), "webhook-signature": signature}
