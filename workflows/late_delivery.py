"""The workflow that delivers a report to destinations which were out of reach while its run was open."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows.delivery import SharedReport, failed_delivery
from workflows.outcome import FAILURE_TYPES

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import Destination, LateDelivery


@workflow.defn(failure_exception_types=FAILURE_TYPES)
class DeliveryWorkflow:
    """Delivers a report to the rest of its destinations, so that a dead one does not keep its alert group closed."""

    @workflow.run
    async def run(self, late: LateDelivery) -> list[str]:
        """Deliver. Returns the destinations that failed for good, and why."""
        shared = SharedReport()
        failures = await asyncio.gather(*(self._deliver(shared, late, name) for name in late.destinations))
        return [failure for failure in failures if failure]

    async def _deliver(self, shared: SharedReport, late: LateDelivery, destination: Destination) -> str:
        try:
            await shared.start_delivery(late.delivery, destination)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            why = failed_delivery(error).error
            workflow.logger.error("%s has no report of %s: %s", destination, late.delivery.workflow_id, why)
            return f"{destination}: {why}"
        return ""
