"""How an investigation ends, and the typed error with which it fails its run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import ModelReply, Review, RunResult, RunStatus, StopRequest
    from watchkeeper.incident.budget import LIMIT_ERROR_TYPES, Budget, LimitName
    from watchkeeper.text import error_text, excerpt, time_span

BUGS = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError)
"""What a bug in workflow code raises. Not ``Exception``: that would let nondeterminism after a bad deploy fail every
open run, while waiting for a fixed worker loses none."""

FAILURE_TYPES = tuple(bug for bug in BUGS if bug is not RuntimeError)
"""The bugs that may fail a run without a report, as the last resort. Not ``RuntimeError``: the SDK raises it for a
recorded result that this version cannot read, but a worker of a later version can."""

REASON_BYTES = 1_000


@dataclass(frozen=True)
class Outcome:
    """Why an investigation ended. ``error`` is the type of the error with which the run fails, if it does."""

    status: RunStatus
    reason: str | None = None
    error: str | None = None
    text: str = ""
    by_cancellation: bool = False
    review: Review | None = None
    """What code found in the text; None: the text was not reviewed."""
    wake: str | None = None
    """Why people are paged although the run concluded."""

    @classmethod
    def concluded(cls, reply: ModelReply, review: Review | None = None, wake: str | None = None) -> Outcome:
        """The model concluded."""
        return cls("concluded", text=_answer(reply), review=review, wake=wake)

    @classmethod
    def unqualified(cls, reply: ModelReply, review: Review) -> Outcome:
        """The model's answer is no conclusion, even after one correction."""
        why = excerpt(f"the model's answer was not accepted: {' '.join(review.problems)}", REASON_BYTES)
        return cls("failed", why, "NoConclusion", _answer(reply), review=review)

    @classmethod
    def page_not_sent(cls, reply: ModelReply, review: Review, why: str) -> Outcome:
        """The model concluded, but a page that it wanted was not sent."""
        return cls("failed", why, "PageNotSent", _answer(reply), review=review)

    @classmethod
    def limit(cls, limit: LimitName, budget: Budget, error: ActivityError | None = None) -> Outcome:
        """A limit ended the run, possibly while an activity kept failing."""
        why = budget.sentence(limit)
        if error is not None and isinstance(_last(error), ApplicationError):
            why = excerpt(f"{why}; {cls.failed(error).reason}", REASON_BYTES)
        return cls("limit_reached", why, LIMIT_ERROR_TYPES[limit])

    @classmethod
    def empty(cls) -> Outcome:
        """The model gave empty replies."""
        return cls("failed", "the model gave no usable reply, even when asked again", "EmptyCompletion")

    @classmethod
    def stopped(cls, stop: StopRequest) -> Outcome:
        """A person ended the run."""
        by = f" by {stop.by}" if stop.by else ""
        because = f": {excerpt(stop.reason, REASON_BYTES)}" if stop.reason else ""
        return cls("stopped", f"stopped{by}{because}")

    @classmethod
    def cancelled(cls) -> Outcome:
        """A person cancelled the workflow in Temporal."""
        return replace(cls.stopped(StopRequest(reason="cancelled in Temporal")), by_cancellation=True)

    @classmethod
    def recovered(cls) -> Outcome:
        """The alerts resolved before the run was admitted."""
        return cls(
            "concluded", text="The alerts resolved while this run waited in the queue. No one has investigated why."
        )

    @classmethod
    def not_admitted(cls, seconds: float) -> Outcome:
        """The queue did not admit the run in time."""
        why = f"not investigated: the team's queue had no free slot within {time_span(seconds)}"
        return cls("failed", why, "QueueTimeout")

    @classmethod
    def failed(cls, error: ActivityError) -> Outcome:
        """An activity that the run depends on failed for good."""
        match _last(error):
            case ApplicationError() as cause:
                kind, why = cause.type or "ApplicationError", cause.message
            case TimeoutError():
                kind, why = "Timeout", "no answer in time, in any attempt"
            case cause:
                kind, why = type(cause).__name__, str(cause)
        return cls("failed", excerpt(f"{error.activity_type} failed: {why}", REASON_BYTES), kind)

    @classmethod
    def bug(cls, bug: Exception) -> Outcome:
        """Workflow code raised an error that it never should."""
        return cls("failed", excerpt(f"a bug in Watchkeeper: {error_text(bug)}", REASON_BYTES), "Bug")

    def fail(self, result: RunResult) -> NoReturn:
        """Fail the run with its typed error, the hand-off in the details."""
        raise ApplicationError(self.reason or self.status, result, type=self.error, non_retryable=True)


def _answer(reply: ModelReply) -> str:
    return reply.text + ("\n\n*(cut at the model's token limit)*" if reply.truncated else "")


def _last(error: ActivityError) -> BaseException | None:
    """Return what an activity failed with; after a timeout, the error of its last attempt that ended by itself."""
    cause = error.cause
    return cause.cause or cause if isinstance(cause, TimeoutError) else cause
