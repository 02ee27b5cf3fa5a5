"""Requests that an instrumentation of ``openai`` records: its patches are at ``create``, which this program avoids.

``create`` copies and checks the whole conversation. So it is used only while something has replaced a method of the
package, such as OpenTelemetry's instrumentations or Langfuse. The bytes on the wire stay ours in both cases.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import httpx2

from watchkeeper.llm.model_transport import WIRE_REQUEST
from watchkeeper.text import error_text

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai._types import RequestOptions

log = logging.getLogger("watchkeeper")


_NO_PART_OF_THE_BODY = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}


def is_patched() -> bool:
    """Whether a method of ``openai`` through which a chat completion passes has been replaced."""
    return any(_is_foreign(_defined(owner, name)) for owner, name in _methods())


async def create(client: AsyncOpenAI, body: bytes, options: RequestOptions) -> httpx2.Response:
    """Send the bytes of a chat completion through ``create``; return the successful response as it arrived.

    Raises the errors of ``openai``. An error after a successful response, in a patch or because the response is no
    completion, is logged.
    """
    parameters: dict[str, Any] = json.loads(body)
    known = {name: value for name, value in parameters.items() if name in _parameters()}
    others = {name: value for name, value in parameters.items() if name not in known}
    create: Callable[..., Any] = client.chat.completions.create
    wire = WIRE_REQUEST.get()
    wire.body = body
    try:
        await create(**known, extra_body=others or None, extra_headers=options.get("headers"))
    except Exception as error:
        if wire.response is None or not wire.response.is_success:
            raise
        log.warning("openai or a patch of it cannot read a response: %s", error_text(error))
    if wire.response is None:
        raise httpx2.TransportError("a patch of openai has sent no request")
    return wire.response


@cache
def _methods() -> list[tuple[type, str]]:
    from openai import AsyncOpenAI
    from openai.resources.chat.completions import AsyncCompletions

    return [(AsyncCompletions, "create"), (AsyncOpenAI, "request"), (AsyncOpenAI, "post")]


@cache
def _parameters() -> frozenset[str]:
    from openai.resources.chat.completions import AsyncCompletions

    return frozenset(inspect.signature(AsyncCompletions.create).parameters) - _NO_PART_OF_THE_BODY


@cache
def _package() -> str:
    import openai

    return str(Path(openai.__file__).parent)


def _defined(owner: type, name: str) -> object:
    """Return a method as its class holds it. `inspect.getattr_static` takes ten times as long."""
    return next(vars(base)[name] for base in owner.__mro__ if name in vars(base))


def _is_foreign(method: object) -> bool:
    return type(method) is not FunctionType or not method.__code__.co_filename.startswith(_package())
