"""Standard Webhooks signatures, by the ``standardwebhooks`` library (https://www.standardwebhooks.com).

Decision 0017 says which part of the library is not used, and why.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import SecretStr
from standardwebhooks import Webhook

from watchkeeper.config.field_types import signing_key


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
