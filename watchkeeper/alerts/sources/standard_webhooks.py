"""Senders that sign as the Standard Webhooks specification says, such as incident.io. Settings map their payloads."""

from __future__ import annotations

import base64
import binascii

from pydantic import model_validator

from watchkeeper.alerts.identity import identity
from watchkeeper.alerts.mapped_json import MappedSection, MappedSource
from watchkeeper.alerts.source import FetchCertificate, ParsedPayload, WebhookRequest
from watchkeeper.alerts.verification import VerificationError, check_age, check_signatures
from watchkeeper.webhook_signature import sign


class StandardWebhooksSection(MappedSection):
    """Settings whose secrets are base64, with or without the prefix ``whsec_``."""

    @model_validator(mode="after")
    def _valid_secrets(self) -> StandardWebhooksSection:
        try:
            keys = self.signing_keys()
        except binascii.Error:
            raise ValueError("secrets: each must be whsec_ and base64; copy it again") from None
        if not all(keys):
            raise ValueError("secrets: one is whsec_ without a key, which anyone could sign with; copy it again")
        return self

    def signing_keys(self) -> list[bytes]:
        """Return the keys of the secrets."""
        texts = [secret.get_secret_value().removeprefix("whsec_") for secret in self.secrets]
        return [base64.b64decode(text, validate=True) for text in texts]


class StandardWebhooks(MappedSource[StandardWebhooksSection]):
    """HMAC-SHA256 in base64 over ``id.timestamp.body``. A sender that rotates its secret sends several signatures."""

    Section = StandardWebhooksSection

    async def verify(self, request: WebhookRequest, fetch: FetchCertificate) -> None:
        """Check the age and the signatures. One valid signature is enough."""
        await super().verify(request, fetch)
        if not self.section.secrets:
            return
        headers = request.headers
        timestamp = headers.get("webhook-timestamp", "")
        check_age(timestamp, request.received_at)
        if not (timestamp.isascii() and timestamp.isdecimal()) or timestamp.startswith("0"):
            raise VerificationError("its webhook-timestamp is not a number of seconds")
        try:
            expected = [
                sign(key, headers.get("webhook-id", ""), int(timestamp), request.body).encode()
                for key in self.section.signing_keys()
            ]
        except (ValueError, OverflowError):
            raise VerificationError("its timestamp is not in seconds, or its body is not UTF-8") from None
        signatures = headers.get("webhook-signature", "").split()
        check_signatures([signature for signature in signatures if signature.startswith("v1,")], expected)

    def parse(self, request: WebhookRequest) -> ParsedPayload:
        """Parse the alerts of a body. A message that is sent again has the same ``webhook-id``, which is signed."""
        payload, name = super().parse(request), request.headers.get("webhook-id", "")
        if name:
            payload.alerts = [
                alert.model_copy(update={"message": identity(name, str(number))})
                for number, alert in enumerate(payload.alerts)
            ]
        return payload
