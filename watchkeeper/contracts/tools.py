"""Tool calls: the tools that a model may call, the calls that are run, and their results."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from watchkeeper.contracts.base import Contract, Digest, JsonObject, digest_of
from watchkeeper.contracts.pages import Incident, PageRecord

Effect = Literal["read", "keyed", "once"]
"""Whether a tool may run twice: yes (``read``), yes with the same idempotency key (``keyed``), no (``once``)."""


CallStatus = Literal["waiting", "running", "ok", "error", "rejected", "denied", "expired", "unknown"]
"""The status of a tool call.

``waiting`` for a person's decision; ``error`` the tool failed; ``rejected`` never run (unknown tool, bad arguments,
over a limit); ``unknown`` a side effect that may or may not have happened.
"""


class ToolChoice(Contract):
    """Which tools the model may or must call; ``function`` names the tool when the mode is ``named``."""

    mode: Literal["auto", "none", "required", "named"]
    function: str | None = None


class ToolSpec(Contract):
    """One tool as the model sees it and as the workflow runs it."""

    name: str
    description: str
    parameters: JsonObject = Field(description="JSON schema of the arguments.")
    effect: Effect
    timeout: float = Field(gt=0, description="Seconds one attempt may take.")
    attempts: int = Field(ge=1, description="Maximum attempts, including the first.")
    approval: float | None = Field(
        default=None, description="Seconds to wait for a person's decision; absent: none needed."
    )
    pages: bool = Field(default=False, description="The tool wakes a person: the rules for pages apply.")


class ToolRequest(Contract):
    """The argument of every tool activity; the activity's type names the tool, its id the call (r3.0)."""

    run: str = Field(description="First execution run id of the workflow: the same after continue-as-new and reset.")
    arguments: str = Field(description="JSON text, as the model wrote it.")
    incident: Incident | None = Field(default=None, description="Only for a tool that pages.")


class ToolResult(Contract):
    """The result of a call as the model reads it, cleaned and capped."""

    status: Literal["ok", "error", "rejected"] = "ok"
    content: str = Field(description="Compact JSON text.")
    cut: int = Field(default=0, description="Bytes that were cut from the content.")
    page: PageRecord | None = Field(default=None, description="Only of a tool that has paged.")

    @property
    def digest(self) -> Digest:
        """Digest of the content; computed, since the history holds the content itself."""
        return digest_of(self.content.encode())


class CallRecord(Contract):
    """One tool call as the run keeps it for its report and for people."""

    key: str
    name: str
    arguments: str
    status: CallStatus
    finding: str = Field(default="", description="The beginning of the result.")
    deadline: float | None = Field(
        default=None, description="Unix seconds until which it waits for a decision; absent: it needs none."
    )
    page: PageRecord | None = Field(default=None, description="The page that the call has sent.")
