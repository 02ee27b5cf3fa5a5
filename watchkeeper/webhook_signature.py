"""Signing what we post, as Standard Webhooks have it, so that whoever takes it can tell that it is ours."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from pydantic import SecretStr

_PREFIX = "whsec_"
_FEWEST_BYTES = 16
"""A shorter key can be guessed from one signed body."""


def signing_key(secret: SecretStr) -> bytes:
    """Return the key that a secret stands for. Raises ValueError."""
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else b""
    except binascii.Error:
        key = b""
    if len(key) < _FEWEST_BYTES:
        way_out = f"echo {_PREFIX}$(openssl rand -base64 32)"
        raise ValueError(f"must be {_PREFIX} and the base64 of at least {_FEWEST_BYTES} bytes; make one: {way_out}")
    return key


def signature_headers(secret: SecretStr, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that sign a body at a time, in Unix seconds. Raises ValueError."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(signing_key(secret), signed, hashlib.sha256).digest()
    return {"webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}
