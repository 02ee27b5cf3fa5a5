"""The conversation with the model: requests, replies, compaction."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import ConfigDict, Field

from watchkeeper.contracts.base import Contract, Digest, JsonObject
from watchkeeper.contracts.limits import Usage
from watchkeeper.contracts.tools import ToolChoice


class ReplyRef(Contract):
    """A model reply, by the digest of its message."""

    model_config = ConfigDict(extra="forbid")
    reply: Digest


class ResultRef(Contract):
    """The result of the next unanswered call of the last reply, by the digest of its content."""

    model_config = ConfigDict(extra="forbid")
    result: Digest
    call: str | None = Field(default=None, description="Key of the call, which the model reads with the result.")


class TextEntry(Contract):
    """A text that no activity result holds: from a person, or from the workflow itself.

    With the role ``tool`` it answers the next unanswered call of the last reply.
    """

    model_config = ConfigDict(extra="forbid")
    role: Literal["user", "tool"]
    content: str


ConversationEntry: TypeAlias = ReplyRef | ResultRef | TextEntry


FallbackWindows = Literal["fit", "ignore"]
"""How the context windows of fallbacks count after the conversation was shortened for one of them.

``fit``: it is shortened again at once. ``ignore``: it cannot be shortened any further.
"""


class ModelRequest(Contract):
    """One request to the model; it refers to the conversation by digest."""

    round: int
    base: Digest = Field(description="The conversation that ``append`` extends.")
    append: list[ConversationEntry]
    catalogue: Digest
    toolless: bool = Field(default=False, description="The model must answer without a tool call.")
    tool_choice: ToolChoice | None = Field(default=None, description="Absent: auto.")
    fallback_windows: FallbackWindows | None = Field(
        default=None, description="Absent: it was not shortened for a fallback; wait for another model first."
    )


class ModelReply(Contract):
    """A completion, normalised before it is recorded, so that sending it back never breaks the conversation."""

    kind: Literal["final", "tool_calls", "empty"] = Field(description="Derived from the calls in the message.")
    message: JsonObject = Field(description="The assistant message as it is sent back; unknown fields are kept.")
    digest: Digest = Field(description="Of the canonical bytes of the message.")
    usage: Usage
    problems: dict[int, str] = Field(
        default_factory=dict,
        description="Calls that cannot be run, by position: the reason, for the model.",
    )
    dropped: int = Field(default=0, description="Calls over the cap, removed from the message.")
    truncated: bool = Field(default=False, description="The host cut the reply at its token limit.")
    text_call: bool = Field(default=False, description="It is empty because it only holds a call written as text.")
    finish_reason: str | None = Field(default=None, description="Absent if the kind implies it.")
    model: str | None = Field(default=None, description="The model that answered, if not the briefing's.")
    response_id: str | None = None
    trace_id: str | None = Field(default=None, description="The host's request id, to quote to its support.")

    @property
    def text(self) -> str:
        """The text content of the message; empty if it has none."""
        content = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def calls(self) -> list[RequestedCall]:
        """The tool calls of the message, in order."""
        return [
            RequestedCall(name=c["function"]["name"], arguments=c["function"]["arguments"])
            for c in self.message.get("tool_calls", ())
        ]


class RequestedCall(Contract):
    """A tool call in a reply. The arguments are raw text until the tool's own model parses them."""

    name: str
    arguments: str


class CompactRequest(Contract):
    """The argument of ``compact``: the conversation whose older rounds a summary replaces."""

    base: Digest
    append: list[ConversationEntry]
    keep: float = Field(gt=0, lt=1, description="Share of its bytes that may remain.")


class CompactionResult(Contract):
    """A compaction: a summary replaces a conversation's older rounds."""

    digest: Digest = Field(description="The conversation with the summary in it.")
    summary: str = Field(
        default="", description="Only recorded by earlier versions; absent: code writes it again from the messages."
    )
    replaced: int = Field(default=0, description="Messages after the opening that the summary replaces; absent: none.")
