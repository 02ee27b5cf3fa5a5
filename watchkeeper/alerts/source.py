"""What an alert source is: it verifies a body as it came, then reads the alerts in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeAlias, TypeVar

from watchkeeper.alerts.verification import check_credentials
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert

MAX_BODY_BYTES = 256 * 2**10
"""The largest body worth reading (413 beyond it); no vendor sends more."""

MAX_ALERTS = 500
"""How many alerts of one body are read; beyond this nobody looks at them one by one."""

FetchCertificate: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Gets an https address that a source has checked, following no redirect; raises VerificationError when it cannot."""

S = TypeVar("S", bound=SourceSection)


@dataclass(frozen=True)
class WebhookRequest:
    """A request as it came."""

    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    now: float
    """Unix seconds at which it came."""


@dataclass
class ParsedPayload:
    """What a body said."""

    alerts: list[Alert] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    """Why a well-formed event is not an alert: a few words of a closed set."""
    notes: list[str] = field(default_factory=list)
    """What a reader of the alerts should know besides, such as that the sender left some out."""
    confirm: str | None = field(default=None, repr=False)
    """An address of AWS, checked, that confirms the subscription of a configured topic when it is fetched; whoever
    reads it can do so, so it belongs in no log."""


class Source(ABC, Generic[S]):
    """A configured source. A kind of source is a subclass in a module of this package, and named like it."""

    Section: ClassVar[type[SourceSection]] = SourceSection
    """The form of its table in the settings."""

    def __init__(self, name: str, section: S) -> None:
        self.name = name
        self.section = section

    async def verify(self, posted: WebhookRequest, fetch: FetchCertificate) -> None:
        """Prove that a body comes from whom it should; before this, nothing in it is believed.

        Raises VerificationError, or MalformedPayload where the proof stands inside the body.
        """
        check_credentials(self.section, posted.headers)

    @abstractmethod
    def parse(self, posted: WebhookRequest) -> ParsedPayload:
        """Read a verified body.

        Raises MalformedPayload; for any bytes at all nothing else.
        """
