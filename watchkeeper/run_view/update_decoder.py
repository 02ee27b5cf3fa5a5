"""Reading what a person did out of the update that a history holds."""

from __future__ import annotations

from datetime import datetime

from temporalio.api.update.v1 import Request
from temporalio.converter import DataConverter

from watchkeeper.contracts import Decision, ExtendRequest, StopRequest, TellRequest
from watchkeeper.run_view.entries import PersonAction
from watchkeeper.temporal.history import decode_first


async def decode_action(request: Request, at: datetime, converter: DataConverter) -> PersonAction | None:
    """Return what an update did to the run; None when it is no person's act."""
    given = request.input.args.payloads
    match request.input.name:
        case "tell":
            tell = await decode_first(converter, given, TellRequest)
            return PersonAction("tell", at, tell.by, tell.text)
        case "stop":
            stop = await decode_first(converter, given, StopRequest)
            return PersonAction("stop", at, stop.by, stop.reason)
        case "extend":
            extension = await decode_first(converter, given, ExtendRequest)
            return PersonAction("extend", at, extension.who, extended=extension.by)
        case "decide":
            decision = await decode_first(converter, given, Decision)
            return PersonAction("decide", at, decision.by, decision.note, decision.call, decision.approved)
        case _:
            return None
