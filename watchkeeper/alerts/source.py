"""The interface of alert sources: verify a webhook request, then parse the alerts in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeAlias, TypeVar

from watchkeeper.alerts.verification import check_credentials
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert

MAX_BODY_BYTES = 16 * 2**20
"""Largest body of alerts that is read. 300 alerts of kube-prometheus take 295 KB, so a group of 16,000 fits."""

FetchCertificate: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Fetches an https URL that the source has checked. Follows no redirect. Raises VerificationError if it cannot."""

S = TypeVar("S", bound=SourceSection)


@dataclass(frozen=True)
class WebhookRequest:
    """An HTTP request of an alert source."""

    headers: Mapping[str, str]
    """Names are in lower case."""
    body: bytes
    received_at: float
    """Unix seconds."""


@dataclass
class ParsedPayload:
    """The content of one request."""

    alerts: list[Alert] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    """For each well-formed event that is not an alert, the reason as one of a few fixed texts."""
    notes: list[str] = field(default_factory=list)
    """Remarks for the reader of the alerts, such as that the sender left some out."""
    opened_keys: dict[str, str] = field(default_factory=dict)
    """By group: the deduplication key of the PagerDuty incident that the sender, or its notifier, opens for it."""
    unlisted: dict[str, int] = field(default_factory=dict)
    """By group: how many alerts of it the payload does not list although they may fire. A group is absent if the
    sender does not list all of its alerts in each request."""
    left_out: dict[str, int] = field(default_factory=dict)
    """By group: how many alerts of the body were left out because there were too many."""
    silences: dict[str, str] = field(default_factory=dict)
    """By group: the URL at which a person can silence it, if its alerts no longer have the details for it."""
    is_group: bool = False
    """It holds the alerts of one group, ordered and without unneeded details."""
    confirm: str | None = field(default=None, repr=False)
    """Checked URL of AWS that confirms the subscription of a configured topic. It is a secret: do not log it."""


class Source(ABC, Generic[S]):
    """A configured source. Each module of ``watchkeeper.alerts.sources`` holds one subclass, named like the module."""

    Section: ClassVar[type[SourceSection]] = SourceSection
    """The settings section of this kind."""

    def __init__(self, name: str, section: S) -> None:
        self.name = name
        self.section = section

    async def verify(self, request: WebhookRequest, fetch: FetchCertificate) -> None:
        """Check that a request comes from the configured sender.

        Raises VerificationError, and MalformedPayload if the proof is inside the body.
        """
        check_credentials(self.section, request.headers)

    @abstractmethod
    def parse(self, request: WebhookRequest) -> ParsedPayload:
        """Parse a verified request. Raises MalformedPayload, and no other exception for any body."""
