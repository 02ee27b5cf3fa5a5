"""The detail of a heartbeat: how much a model has written so far. The server shows it during the activity (pure)."""

from __future__ import annotations

import json

from temporalio.api.workflow.v1 import PendingActivityInfo

from watchkeeper.contracts import JsonObject

_CHARACTERS = "characters"


def written_detail(characters: int) -> JsonObject:
    """Return the detail for a number of characters."""
    return {_CHARACTERS: characters}


def written_characters(pending: PendingActivityInfo) -> int:
    """Return the number in the last heartbeat of the current attempt; 0 if it has none."""
    payloads = pending.heartbeat_details.payloads
    if not payloads or pending.last_heartbeat_time.ToNanoseconds() < pending.last_started_time.ToNanoseconds():
        return 0
    try:
        detail = json.loads(payloads[0].data)
    except ValueError:
        return 0  # of another version, or encrypted
    characters = detail.get(_CHARACTERS) if isinstance(detail, dict) else None
    return characters if isinstance(characters, int) else 0
