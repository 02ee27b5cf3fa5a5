"""Names that decide which run an alert belongs to."""

from __future__ import annotations

from base64 import b32encode
from hashlib import blake2b

from watchkeeper.alerts.plain_text import printable_line
from watchkeeper.contracts import Alert
from watchkeeper.text import cap

MAX_BYTES = 200
_PART = "\x1f"


def identity(*parts: str) -> str:
    """Name what a vendor identifies by these: itself where it is short and plain, else its beginning and a digest.

    What is not equal is not named equally.
    """
    whole = printable_line(" ".join(parts))
    if len(parts) == 1 and whole == parts[0] and len(whole.encode()) <= MAX_BYTES:
        return whole
    beginning, _ = cap(whole, MAX_BYTES - 18)
    return f"{beginning.strip()}~{_short(_PART.join(parts))}"


def workflow_id(alert: Alert) -> str:
    """Name the run that an alert belongs to: the same for every alert of its group, whatever its episode."""
    return f"alert-{alert.source}-{_short(alert.group)}"


def episode_from_time(micros: int | None) -> str | None:
    """Name a firing by when it began, as the sender says it: a clock that is ahead does not make it another firing."""
    return None if micros is None else f"{micros / 1e6:.6f}"


def _short(text: str) -> str:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).digest()
    return b32encode(digest).decode().lower()
