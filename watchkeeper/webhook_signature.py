"""Signing what we post, as Standard Webhooks have it, so that whoever takes it can tell that it is ours."""

from __future__ import annotations

import base64
import hashlib
import hmac

from pydantic import SecretStr

from watchkeeper.config.field_types import signing_key


def signature_headers(secret: SecretStr, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that sign a body at a time, in Unix seconds. Raises ValueError."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(signing_key(secret), signed, hashlib.sha256).digest()
    return {"webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}
