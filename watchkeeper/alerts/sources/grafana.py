"""Grafana's unified alerting: Alertmanager's notification with more links, and a signature over it if you wish."""

from __future__ import annotations

import re
from typing import ClassVar

from watchkeeper.alerts.source import FetchCertificate, WebhookRequest
from watchkeeper.alerts.sources.alertmanager import AlertmanagerAlert, AlertmanagerGroup, GroupingSource
from watchkeeper.alerts.verification import VerificationError, check_age, check_signatures, hmac_sha256, secret_bytes
from watchkeeper.config.alert_source import HeaderName, SourceSection
from watchkeeper.contracts import AlertReason

_OLDER_HEADER = "x-grafana-alert-signature"
_TIMESTAMP_HEADER = "x-grafana-alerting-timestamp"
_TEST = re.compile(r"[^{}]*-[0-9a-f]{8,16}-\d{9,}")
_NO_DATA = {"DatasourceNoData", "DatasourceError"}


class GrafanaSection(SourceSection):
    """The contact point's HMAC settings, where they are not Grafana's own."""

    signs: ClassVar[bool] = True

    signature_header: HeaderName = "x-grafana-alerting-signature"
    timestamp_header: HeaderName | None = None
    """Demanded where it is named; Grafana's usual one is believed where it comes."""


class Grafana(GroupingSource[GrafanaSection]):
    """HMAC-SHA256 in hexadecimal over the body, or over ``timestamp:body``."""

    Section = GrafanaSection

    async def verify(self, posted: WebhookRequest, fetch: FetchCertificate) -> None:
        """Check the signature, and the time of it where it is signed; and what every source can ask for."""
        await super().verify(posted, fetch)
        if not self.section.secrets:
            return
        shown = posted.headers.get(self.section.signature_header) or posted.headers.get(_OLDER_HEADER)
        signed = posted.body
        timestamp = posted.headers.get(self.section.timestamp_header or _TIMESTAMP_HEADER)
        if timestamp is None and self.section.timestamp_header:
            raise VerificationError(
                f"it has no {self.section.timestamp_header} header; the contact point must send one"
            )
        if timestamp is not None:
            check_age(timestamp, posted.now)
            signed = f"{timestamp}:".encode() + posted.body
        good = [hmac_sha256(key, signed).hex().encode() for key in secret_bytes(self.section.secrets)]
        check_signatures([shown.strip().lower()] if shown else [], good)

    def occasion(self, alert: AlertmanagerAlert, group: AlertmanagerGroup) -> AlertReason | None:
        """Know the test of a contact point, whose group is made up, and the alerts that stand for missing data."""
        if _TEST.fullmatch(group.groupKey):
            return "test"
        return "no_data" if alert.labels.get("alertname") in _NO_DATA else None
