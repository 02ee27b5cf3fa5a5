"""Senders that sign as Standard Webhooks says, incident.io among them; settings say how to read their bodies."""

from __future__ import annotations

import base64
import binascii

from pydantic import model_validator

from watchkeeper.alerts.mapped_json import MappedSection, MappedSource
from watchkeeper.alerts.source import FetchCertificate, WebhookRequest
from watchkeeper.alerts.verification import check_age, check_signatures, hmac_sha256


class StandardWebhooksSection(MappedSection):
    """Secrets are ``whsec_`` and base64."""

    @model_validator(mode="after")
    def _can_be_read(self) -> StandardWebhooksSection:
        try:
            self.signing_keys()
        except binascii.Error:
            raise ValueError("secrets: each is whsec_ and base64; copy it again") from None
        return self

    def signing_keys(self) -> list[bytes]:
        """Return the keys that the secrets stand for."""
        texts = [secret.get_secret_value().removeprefix("whsec_") for secret in self.secrets]
        return [base64.b64decode(text, validate=True) for text in texts]


class StandardWebhooks(MappedSource[StandardWebhooksSection]):
    """HMAC-SHA256 in base64 over ``id.timestamp.body``, several while secrets change; good for five minutes."""

    Section = StandardWebhooksSection

    async def verify(self, posted: WebhookRequest, fetch: FetchCertificate) -> None:
        """Check the signatures and their time; one good one is enough."""
        await super().verify(posted, fetch)
        if not self.section.secrets:
            return
        message, timestamp = posted.headers.get("webhook-id", ""), posted.headers.get("webhook-timestamp", "")
        check_age(timestamp, posted.now)
        signed = f"{message}.{timestamp}.".encode("utf-8", "surrogatepass") + posted.body
        shown = [signature.partition(",") for signature in posted.headers.get("webhook-signature", "").split()]
        good = [base64.b64encode(hmac_sha256(key, signed)) for key in self.section.signing_keys()]
        check_signatures([signature for version, _, signature in shown if version == "v1"], good)
