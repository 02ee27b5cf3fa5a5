"""Temporal's workflow sandbox, entered once for each workflow task. It does not import workflow code again."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import Info

_NOWHERE = StorageDriverStoreContext(target=None)


RESTRICTIONS = SandboxRestrictions.default.with_passthrough_modules("workflows")
"""Restrictions of the SDK. The package ``workflows`` has no state, clock, randomness, input or output;
``tests/workflows/test_purity.py`` checks its source."""


@dataclass(frozen=True)
class Sandbox(SandboxedWorkflowRunner):
    """The SDK's sandbox with its restrictions, entered only to run workflow code.

    The SDK imports workflow code again for each run, which isolates the state of its modules. Ours have no state, so
    all runs share them. The SDK also enters the sandbox up to four times for every payload, to get the serialization
    and storage context. Our data converter uses neither, so the answers are constant.
    """

    restrictions: SandboxRestrictions = RESTRICTIONS
    """What workflow code may use, and which modules all runs share."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Create the sandbox of one run."""
        return _Instance(super().create_instance(det))


class _Instance(WorkflowInstance):
    def __init__(self, sandboxed: WorkflowInstance) -> None:
        self._sandboxed = sandboxed

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._sandboxed.activate(act)

    def get_info(self) -> Info:
        return self._sandboxed.get_info()

    def get_thread_id(self) -> int | None:
        return self._sandboxed.get_thread_id()

    def get_serialization_context(self, command_info: object) -> None:
        return None

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:
        return _NOWHERE
