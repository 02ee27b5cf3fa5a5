"""Decodes the updates of a history into people's actions."""

from __future__ import annotations

from datetime import datetime

from temporalio.api.update.v1 import Request
from temporalio.converter import DataConverter

from watchkeeper.contracts import Decision, ExtendRequest, StopRequest, TellRequest
from watchkeeper.run_view.entries import PersonAction
from watchkeeper.temporal.history import decode_first


async def decode_action(request: Request, at: datetime, converter: DataConverter) -> PersonAction | None:
    """Return the action of a person's update; None for any other update."""
    payloads = request.input.args.payloads
    match request.input.name:
        case "tell":
            tell = await decode_first(converter, payloads, TellRequest)
            return PersonAction("tell", at, tell.by, tell.text)
        case "stop":
            stop = await decode_first(converter, payloads, StopRequest)
            return PersonAction("stop", at, stop.by, stop.reason)
        case "extend":
            extension = await decode_first(converter, payloads, ExtendRequest)
            return PersonAction("extend", at, extension.who, extended=extension.by)
        case "decide":
            decision = await decode_first(converter, payloads, Decision)
            return PersonAction("decide", at, decision.by, decision.note, decision.call, decision.approved)
        case _:
            return None
