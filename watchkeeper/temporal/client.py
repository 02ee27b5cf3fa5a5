"""The connection to Temporal: address, data converter, search attributes."""

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
from watchkeeper.temporal import interpreter_exit, search_attributes
from watchkeeper.temporal.lazy_client import is_unreachable, unavailable_until_connected
from watchkeeper.text import ERROR_BYTES, excerpt

DEFAULT_ADDRESS = "localhost:7233"

interpreter_exit.install()


class TemporalError(Exception):
    """Temporal cannot be used. The text names the address and says what to do."""


class UnreadableError(Exception):
    """A recorded result has the format of a later version than this worker.

    It is not a ``ValueError``, because that would fail the run. Other errors only fail the workflow task, which is
    retried, possibly on a newer worker.
    """


class PayloadsTooLarge(ValueError):
    """A payload is larger than Temporal accepts. The text names the value and its size.

    It is a ``ValueError``, so in workflow code it ends the run with a report. If the server refused the payload, the
    workflow task would be retried without end. The SDK's own error has the same name and is never retried.
    """


PAYLOAD_BYTES = 2_000_000
"""Largest payload of one command. Temporal refuses 2 MiB, including its own overhead. Replay depends on this value, so
it must not change."""

ACTIVITY_RESULTS: frozenset[type] = frozenset({Briefing, ModelReply, CompactionResult, ToolResult, CarriedConversation})


_JSON = PydanticPayloadConverter(ToJsonOptions(exclude_unset=True))


class _PayloadConverter(CompositePayloadConverter):
    """Pydantic's JSON without unset fields, which saves bytes of history.

    All instances share the converters: the SDK creates one instance for each run and two for each workflow task, and
    each set of converters compiles every contract type again.
    """

    def __init__(self) -> None:
        self.converters = _JSON.converters

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """Encode values. Raises PayloadsTooLarge."""
        payloads = super().to_payloads(values)
        if (size := sum(len(payload.data) for payload in payloads)) > PAYLOAD_BYTES:
            types = ", ".join(type(value).__name__ for value in values)
            raise PayloadsTooLarge(f"{types}: {size:,} bytes are too many to record; at most {PAYLOAD_BYTES:,}")
        return payloads

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Decode payloads. Raises UnreadableError for an activity result that this version cannot read."""
        try:
            return super().from_payloads(payloads, type_hints)
        except ValueError as error:
            if type_hints and set(type_hints) <= ACTIVITY_RESULTS:
                raise UnreadableError(excerpt(str(error), ERROR_BYTES)) from error
            raise


class _FailureConverter(DefaultFailureConverter):
    """Clean and cap the messages of failures, so that they can be recorded.

    Otherwise a message that UTF-8 cannot encode, or one of megabytes, would become another failure, which is retried.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        if not isinstance(exception, FailureError):
            readable = ApplicationError(excerpt(str(exception), ERROR_BYTES), type=type(exception).__name__)
            exception = readable.with_traceback(exception.__traceback__)
        super().to_failure(exception, payload_converter, failure)


class _DataConverter(DataConverter):
    """Leaves references to an external storage as they are, so that they fail as payloads of an unknown encoding.

    We use no such storage, so only a person sends one. The SDK would fail each workflow task that has such a signal.
    """

    async def _decode_reference_payload_sequence(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def _external_retrieve_payload_sequence(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


DATA_CONVERTER = _DataConverter(payload_converter_class=_PayloadConverter, failure_converter_class=_FailureConverter)


async def connect(
    address: str | None = None, environment: Mapping[str, str] | None = None, *, lazy: bool = False
) -> Client:
    """Connect with the settings of Temporal's environment variables and configuration file.

    ``address`` overrides the address there. A lazy client connects on first use; until then its calls raise RPCError
    with the status UNAVAILABLE.

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
    """Return a short identity for this process: every event repeats it. Only the end of a pod's name is unique."""
    return f"{os.getpid()}@{socket.gethostname()[-16:]}"


def _error_detail(error: Exception) -> str:
    """Return the innermost message of an error of the SDK's core, which nests debug output."""
    quoted = re.findall(r'(?:message|error): "([^"]+)"', str(error))
    return excerpt(quoted[-1] if quoted else str(error), 200)


async def ensure_search_attributes(client: Client) -> None:
    """Register the search attributes that are missing.

    A run that sets an attribute which is not registered, or has another type, cannot continue until that is corrected.

    Raises TemporalError, and RPCError if Temporal cannot be reached.
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
        if is_unreachable(error):
            raise
        if error.status == RPCStatusCode.ALREADY_EXISTS or await _can_list(client):
            return  # another worker registered them, or an administrator did and this client may not
        raise TemporalError(_not_registered_message(client.namespace, error)) from error


def indexed_type(key: search_attributes.Key) -> IndexedValueType.ValueType:
    """Return the type of a search attribute in the server's API."""
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}")


async def _can_list(client: Client) -> bool:
    try:
        await client.count_workflows(" AND ".join(f"{key.name} IS NULL" for key in search_attributes.ALL))
    except RPCError as error:
        if is_unreachable(error):
            raise
        return False
    return True


def _not_registered_message(namespace: str, error: RPCError) -> str:
    if error.status == RPCStatusCode.NOT_FOUND:
        return f"{error.message} Set TEMPORAL_NAMESPACE to an existing namespace"
    wanted = " ".join(f"--name {key.name} --type {search_attributes.type_name(key)}" for key in search_attributes.ALL)
    return (
        f"cannot register search attributes in namespace {namespace!r} ({error.message}); have an administrator run: "
        f"temporal operator search-attribute create --namespace {namespace} {wanted}"
    )


def _wrong_type_message(namespace: str, wrong: Sequence[search_attributes.Key]) -> str:
    types = ", ".join(f"{key.name} must be of type {search_attributes.type_name(key)} and is not" for key in wrong)
    names = " ".join(f"--name {key.name}" for key in wrong)
    return (
        f"search attributes in namespace {namespace!r}: {types}; if no other program uses them, have an "
        f"administrator run: temporal operator search-attribute remove --namespace {namespace} {names}; "
        "otherwise give Watchkeeper a separate namespace (TEMPORAL_NAMESPACE)"
    )
