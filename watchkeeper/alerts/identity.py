"""Identifiers that decide which run an alert belongs to."""

from __future__ import annotations

from base64 import b32encode
from hashlib import blake2b

from watchkeeper.alerts.plain_text import printable_line
from watchkeeper.contracts import Alert
from watchkeeper.text import cap

MAX_BYTES = 200
_PART = "\x1f"


def identity(*parts: str) -> str:
    """Return an identifier for the parts of a vendor's identifier. Different parts give different identifiers.

    A single short, printable part is returned unchanged. Otherwise the result is its beginning and a digest.
    """
    whole = printable_line(" ".join(parts))
    if len(parts) == 1 and whole == parts[0] and len(whole.encode()) <= MAX_BYTES:
        return whole
    beginning, _ = cap(whole, MAX_BYTES - 18)
    return f"{beginning.strip()}~{_short(_PART.join(parts))}"


def workflow_id(alert: Alert) -> str:
    """Return the workflow id of an alert's run. It is the same for every alert and every episode of a group."""
    return f"alert-{alert.source}-{_short(alert.group)}"


def episode_from_time(micros: int | None) -> str | None:
    """Return the episode of a firing: its start as the sender reports it, even if the sender's clock is ahead."""
    return None if micros is None else f"{micros / 1e6:.6f}"


def _short(text: str) -> str:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).digest()
    return b32encode(digest).decode().lower()
