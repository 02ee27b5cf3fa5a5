"""A witness of what workflow code does while it is replayed; the SDK tells only that it is not what is recorded."""

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
class DecodingError:
    """A payload that the code of today could not decode."""

    data: bytes
    fault: ValidationError


@dataclass
class ReplayRecord:
    """What the code did of one history, up to the step in which it was found to differ."""

    at: int = 0
    """Events of the history that the last step knew of."""
    commands: list[WorkflowCommand] = field(default_factory=list)
    """What it did in that step."""
    failure: str = ""
    """What it raised in that step, if it did."""
    unread: list[DecodingError] = field(default_factory=list)

    def note(self, activation: WorkflowActivation, completion: WorkflowActivationCompletion) -> None:
        """Take down one activation, of which a step may need several."""
        if all(job.HasField("remove_from_cache") for job in activation.jobs):
            return
        if activation.history_length != self.at:
            self.at, self.commands = activation.history_length, []
        self.commands += completion.successful.commands
        failure = completion.failed.failure
        self.failure = f"{failure.application_failure_info.type}: {failure.message}".removeprefix(": ")


class RecordingSandbox(Sandbox):
    """The sandbox of our workers, which also takes down what happens in it: of one history at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.account = ReplayRecord()

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Make a sandbox for one run."""
        return _Witnessed(super().create_instance(det), self.account)

    def begin(self) -> ReplayRecord:
        """Begin the account of another history."""
        self.account = ReplayRecord()
        return self.account

    def listening(self, converter: DataConverter) -> DataConverter:
        """Return a converter that also takes down what cannot be decoded: the SDK drops such a signal silently."""
        witness, base = self, converter.payload_converter_class

        class Listening(base):  # type: ignore[misc, valid-type]
            def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
                try:
                    return list(super().from_payloads(payloads, type_hints))  # pyright: ignore[reportAbstractUsage]
                except (ValueError, UnreadableError) as error:
                    if (fault := _fault(error)) is not None and payloads:
                        witness.account.unread.append(DecodingError(payloads[0].data, fault))
                    raise

        listening: type[PayloadConverter] = Listening
        return replace(converter, payload_converter_class=listening)


def _fault(error: BaseException | None) -> ValidationError | None:
    while error is not None and not isinstance(error, ValidationError):
        error = error.__cause__
    return error


class _Witnessed(WorkflowInstance):
    def __init__(self, watched: WorkflowInstance, account: ReplayRecord) -> None:
        self._watched = watched
        self._account = account

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._watched.activate(act)
        self._account.note(act, completion)
        return completion

    def get_info(self) -> Info:
        return self._watched.get_info()

    def get_thread_id(self) -> int | None:
        return self._watched.get_thread_id()

    def get_serialization_context(self, command_info: object) -> None:
        return None

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:
        return self._watched.get_external_store_context(command_info)  # type: ignore[arg-type]
