"""Recording of what workflow code does during a replay: the SDK only reports that it differs from the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter, PayloadConverter, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.workflow import Info

from watchkeeper.temporal.client import UnreadableError
from watchkeeper.temporal.sandbox import Sandbox


@dataclass(frozen=True)
class PayloadFailure:
    """A payload that the current code cannot decode."""

    data: bytes
    error: ValidationError


@dataclass
class ReplayRecord:
    """What the code did in the last workflow task of a replay, in which it may have differed from the history."""

    history_length: int = 0
    """Events of the history up to the last workflow task."""
    commands: list[WorkflowCommand] = field(default_factory=list)
    failure: str = ""
    """The exception that the code raised; empty if none."""
    payload_failures: list[PayloadFailure] = field(default_factory=list)

    def add(self, activation: WorkflowActivation, completion: WorkflowActivationCompletion) -> None:
        """Add one activation. A workflow task may have several."""
        if all(job.HasField("remove_from_cache") for job in activation.jobs):
            return
        if activation.history_length != self.history_length:
            self.history_length, self.commands = activation.history_length, []
        self.commands += completion.successful.commands
        failure = completion.failed.failure
        self.failure = f"{failure.application_failure_info.type}: {failure.message}".removeprefix(": ")


class RecordingSandbox(Sandbox):
    """The sandbox of our workers, which also records what happens in it, one history at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.record = ReplayRecord()

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Create a sandbox for one execution."""
        return _RecordingInstance(super().create_instance(det), self.record)

    def new_record(self) -> ReplayRecord:
        """Start the record of the next history."""
        self.record = ReplayRecord()
        return self.record

    def recording_converter(self, converter: DataConverter) -> DataConverter:
        """Return a converter that also records payloads that cannot be decoded. The SDK drops such signals silently."""
        sandbox, base = self, converter.payload_converter_class

        class RecordingConverter(base):  # type: ignore[misc, valid-type]
            def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
                try:
                    return list(super().from_payloads(payloads, type_hints))  # pyright: ignore[reportAbstractUsage]
                except (ValueError, UnreadableError) as error:
                    if (cause := _validation_error(error)) is not None and payloads:
                        sandbox.record.payload_failures.append(PayloadFailure(payloads[0].data, cause))
                    raise

        converter_class: type[PayloadConverter] = RecordingConverter
        return replace(converter, payload_converter_class=converter_class)


def _validation_error(error: BaseException | None) -> ValidationError | None:
    while error is not None and not isinstance(error, ValidationError):
        error = error.__cause__
    return error


class _RecordingInstance(WorkflowInstance):
    def __init__(self, instance: WorkflowInstance, record: ReplayRecord) -> None:
        self._instance = instance
        self._record = record

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._instance.activate(act)
        self._record.add(act, completion)
        return completion

    def get_info(self) -> Info:
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        return self._instance.get_thread_id()

    def get_serialization_context(self, command_info: object) -> None:
        return None

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:
        return self._instance.get_external_store_context(command_info)  # type: ignore[arg-type]
