"""A workflow that sends a payload over the size limit, in each place where a workflow can send one."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.outcome import FAILURE_TYPES

LARGE = 3_000_000


@workflow.defn(failure_exception_types=FAILURE_TYPES)
class Oversized:
    @workflow.run
    async def run(self, place: str) -> str:
        large = "x" * LARGE
        match place:
            case "argument":
                await workflow.execute_activity("none", large, start_to_close_timeout=timedelta(seconds=1))
            case "memo":
                workflow.upsert_memo({"report": large})
            case "detail":
                raise ApplicationError("it went wrong", large, type="Wrong", non_retryable=True)
            case _:
                pass
        return large
