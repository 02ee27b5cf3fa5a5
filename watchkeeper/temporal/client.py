"""The connection to Temporal: how values are encoded, where the server is, what it must know of us."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.failure.v1 import Failure
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import PydanticPayloadConverter, ToJsonOptions
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    PayloadConverter,
)
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.contracts import Briefing, CarriedConversation, CompactionResult, ModelReply, ToolResult
from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.lazy_client import unavailable_until_connected
from watchkeeper.text import ERROR_BYTES, excerpt

DEFAULT_ADDRESS = "localhost:7233"


class TemporalError(Exception):
    """Temporal cannot be used; the text says where it was looked for and the way out."""


class UnreadableError(Exception):
    """A recorded result is of a later version than this worker.

    No ``ValueError``: that would fail the run for what is the worker's fault, where a workflow task is tried again.
    """


class PayloadsTooLarge(ValueError):
    """What was to be recorded is larger than Temporal takes; the text says what, and how large.

    A ``ValueError``: to workflow code it is a bug, which ends a run with its report. Left to the server, the step would
    be refused and tried again for ever. Its name is also that of the SDK's own error, which is never retried.
    """


PAYLOAD_BYTES = 2_000_000
"""Most bytes that one step may record. Temporal refuses 2 MiB, with what it adds to them. Runs replay what this bound
made of them, so it stays."""

ACTIVITY_RESULTS: frozenset[type] = frozenset({Briefing, ModelReply, CompactionResult, ToolResult, CarriedConversation})


_JSON = PydanticPayloadConverter(ToJsonOptions(exclude_unset=True))


class _PayloadConverter(CompositePayloadConverter):
    """Pydantic's JSON, without the fields that were never set: what is absent costs no byte of history.

    All share what is costly: the SDK makes one for each run and two more for each workflow task, and a contract is
    compiled anew by each that has not read one before.
    """

    def __init__(self) -> None:
        self.converters = _JSON.converters

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """Encode values. Raises PayloadsTooLarge."""
        payloads = super().to_payloads(values)
        if (size := sum(len(payload.data) for payload in payloads)) > PAYLOAD_BYTES:
            what = ", ".join(type(value).__name__ for value in values)
            raise PayloadsTooLarge(f"{what}: {size:,} bytes are too many to record; at most {PAYLOAD_BYTES:,}")
        return payloads

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Decode payloads; what an activity made that this version cannot read waits for a worker that can."""
        try:
            return super().from_payloads(payloads, type_hints)
        except ValueError as error:
            if type_hints and set(type_hints) <= ACTIVITY_RESULTS:
                raise UnreadableError(excerpt(str(error), ERROR_BYTES)) from error
            raise


class _FailureConverter(DefaultFailureConverter):
    """Failures whose text can be recorded, whatever the error says.

    A message that UTF-8 cannot encode, or one of megabytes, would replace the failure by another that is retryable.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        if not isinstance(exception, FailureError):
            readable = ApplicationError(excerpt(str(exception), ERROR_BYTES), type=type(exception).__name__)
            exception = readable.with_traceback(exception.__traceback__)
        super().to_failure(exception, payload_converter, failure)


DATA_CONVERTER = DataConverter(payload_converter_class=_PayloadConverter, failure_converter_class=_FailureConverter)


async def connect(
    address: str | None = None, environment: Mapping[str, str] | None = None, *, lazy: bool = False
) -> Client:
    """Connect as Temporal's own environment variables and configuration file say; ``address`` overrides them.

    A lazy client connects when it is first used, and is UNAVAILABLE until it can.

    Raises TemporalError.
    """
    try:
        config = ClientConfig.load_client_connect_config(override_env_vars=environment)
    except (RuntimeError, ValueError, OSError) as error:
        raise TemporalError(f"Temporal's own configuration (TEMPORAL_*) cannot be read: {error}") from error
    config["target_host"] = address or config.get("target_host") or DEFAULT_ADDRESS
    try:
        client = await Client.connect(**config, data_converter=DATA_CONVERTER, identity=identity(), lazy=lazy)
        return unavailable_until_connected(client) if lazy else client
    except (RuntimeError, ValueError) as error:
        raise TemporalError(
            f"no Temporal server answers at {config['target_host']} ({_error_detail(error)}); "
            "start one with `watchkeeper dev`, or set TEMPORAL_ADDRESS to yours"
        ) from error


def identity() -> str:
    """Name this process briefly, for every event repeats it; the end of a pod's name is what is its own."""
    return f"{os.getpid()}@{socket.gethostname()[-16:]}"


def _error_detail(error: Exception) -> str:
    """Return the innermost words of an error of the SDK's core, which nests debugging output in debugging output."""
    quoted = re.findall(r'(?:message|error): "([^"]+)"', str(error))
    return excerpt(quoted[-1] if quoted else str(error), 200)


async def ensure_search_attributes(client: Client) -> None:
    """Register what runs are listed by, where it is not.

    A run that sets an attribute which is not registered, or is of another type, stands still; it goes on by itself once
    that is put right.

    Raises TemporalError.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    wanted = {key.name: indexed_type(key) for key in search_attributes.ALL}
    try:
        known = (await client.operator_service.list_search_attributes(request)).custom_attributes
        if wrong := [key for key in search_attributes.ALL if known.get(key.name, wanted[key.name]) != wanted[key.name]]:
            raise TemporalError(_wrong_type_message(client.namespace, wrong))
        if missing := {name: kind for name, kind in wanted.items() if name not in known}:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
            )
    except RPCError as error:
        if error.status == RPCStatusCode.ALREADY_EXISTS or await _can_list(client):
            return  # another worker was faster, or an administrator did it and lets us do no more than we must
        raise TemporalError(_not_registered_message(client.namespace, error)) from error


def indexed_type(key: search_attributes.Key) -> IndexedValueType.ValueType:
    """Return the type of a search attribute as the server's own interface has it."""
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}")


async def _can_list(client: Client) -> bool:
    try:
        await client.count_workflows(" AND ".join(f"{key.name} IS NULL" for key in search_attributes.ALL))
    except RPCError:
        return False
    return True


def _not_registered_message(namespace: str, error: RPCError) -> str:
    if error.status == RPCStatusCode.NOT_FOUND:
        return f"{error.message} Set TEMPORAL_NAMESPACE to one that there is"
    wanted = " ".join(f"--name {key.name} --type {search_attributes.type_name(key)}" for key in search_attributes.ALL)
    return (
        f"cannot register search attributes in namespace {namespace!r} ({error.message}); have an administrator run: "
        f"temporal operator search-attribute create --namespace {namespace} {wanted}"
    )


def _wrong_type_message(namespace: str, wrong: Sequence[search_attributes.Key]) -> str:
    types = ", ".join(f"{key.name} must be of type {search_attributes.type_name(key)} and is not" for key in wrong)
    names = " ".join(f"--name {key.name}" for key in wrong)
    return (
        f"of the search attributes in namespace {namespace!r}, {types}; where nobody else needs them, have an "
        f"administrator run: temporal operator search-attribute remove --namespace {namespace} {names}; "
        "else give Watchkeeper a namespace of its own (TEMPORAL_NAMESPACE)"
    )
