"""Grafana unified alerting: Alertmanager's notification format with more links and an optional signature."""

from __future__ import annotations

import re
from typing import ClassVar

from watchkeeper.alerts.source import FetchCertificate, WebhookRequest
from watchkeeper.alerts.sources.alertmanager import (
    AlertmanagerAlert,
    AlertmanagerGroup,
    GroupingSection,
    GroupingSource,
)
from watchkeeper.alerts.verification import VerificationError, check_age, check_signatures, hmac_sha256, secret_bytes
from watchkeeper.config.alert_source import HeaderName
from watchkeeper.contracts import AlertReason

_OLDER_HEADER = "x-grafana-alert-signature"
_TIMESTAMP_HEADER = "x-grafana-alerting-timestamp"
_TEST = re.compile(r"[^{}]*-[0-9a-f]{8,16}-\d{9,}")
_NO_DATA = {"DatasourceNoData", "DatasourceError"}


class GrafanaSection(GroupingSection):
    """The HMAC settings of the contact point, if they differ from Grafana's defaults."""

    signs: ClassVar[bool] = True

    signature_header: HeaderName = "x-grafana-alerting-signature"
    timestamp_header: HeaderName | None = None
    """Required if it is set. Otherwise Grafana's default header is used when it is present."""


class Grafana(GroupingSource[GrafanaSection]):
    """Signed with HMAC-SHA256 in hexadecimal over the body, or over ``timestamp:body``."""

    Section = GrafanaSection

    async def verify(self, request: WebhookRequest, fetch: FetchCertificate) -> None:
        """Check the credentials, the signature and, if it is signed, the timestamp."""
        await super().verify(request, fetch)
        if not self.section.secrets:
            return
        signature = request.headers.get(self.section.signature_header) or request.headers.get(_OLDER_HEADER)
        signed = request.body
        timestamp = request.headers.get(self.section.timestamp_header or _TIMESTAMP_HEADER)
        if timestamp is None and self.section.timestamp_header:
            raise VerificationError(
                f"it has no {self.section.timestamp_header} header; the contact point must send one"
            )
        if timestamp is not None:
            check_age(timestamp, request.received_at)
            signed = f"{timestamp}:".encode() + request.body
        expected = [hmac_sha256(key, signed).hex().encode() for key in secret_bytes(self.section.secrets)]
        check_signatures([signature.strip().lower()] if signature else [], expected)

    def occasion(self, alert: AlertmanagerAlert, group: AlertmanagerGroup) -> AlertReason | None:
        """Recognize the test of a contact point, by its generated group key, and alerts about missing data."""
        if _TEST.fullmatch(group.groupKey):
            return "test"
        return "no_data" if alert.labels.get("alertname") in _NO_DATA else None
