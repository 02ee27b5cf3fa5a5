"""Any sender of JSON with a token, a password or an HMAC-SHA256 signature."""

from __future__ import annotations

import base64
from typing import Literal

from pydantic import Field, model_validator

from watchkeeper.alerts.mapped_json import MappedSection, MappedSource
from watchkeeper.alerts.source import FetchCertificate, WebhookRequest
from watchkeeper.alerts.verification import check_age, check_signatures, hmac_sha256, secret_bytes
from watchkeeper.config.alert_source import HeaderName


class GenericSection(MappedSection):
    """Settings of the signature, if the sender signs."""

    signature_header: HeaderName | None = None
    signature_prefix: str = Field(default="", max_length=50, description='Such as "sha256=".')
    signature_encoding: Literal["hex", "base64"] = "hex"
    signed: str = Field(default="{body}", max_length=100, description='What is signed, such as "{timestamp}:{body}".')
    timestamp_header: HeaderName | None = None

    @model_validator(mode="after")
    def _valid_signature_settings(self) -> GenericSection:
        if self.secrets and not self.signature_header:
            raise ValueError("secrets need signature_header, the header that holds the signature")
        if self.signed.count("{body}") != 1:
            raise ValueError("signed must hold {body} once")
        if ("{timestamp}" in self.signed) != bool(self.timestamp_header):
            raise ValueError("timestamp_header and {timestamp} in signed go together")
        return self


class Generic(MappedSource[GenericSection]):
    """A sender with a token, a password, or an HMAC-SHA256 signature that the settings describe."""

    Section = GenericSection

    async def verify(self, request: WebhookRequest, fetch: FetchCertificate) -> None:
        """Check the credentials and the signature that the settings require."""
        await super().verify(request, fetch)
        section = self.section
        if not section.secrets:
            return
        timestamp = ""
        if section.timestamp_header:
            timestamp = request.headers.get(section.timestamp_header, "")
            check_age(timestamp, request.received_at)
        before, _, after = section.signed.replace("{timestamp}", timestamp).partition("{body}")
        signed = before.encode() + request.body + after.encode()
        digests = [hmac_sha256(key, signed) for key in secret_bytes(section.secrets)]
        in_hex = section.signature_encoding == "hex"
        expected = [digest.hex().encode() if in_hex else base64.b64encode(digest) for digest in digests]
        signature = request.headers.get(section.signature_header or "", "").strip()
        if not signature.startswith(section.signature_prefix):
            signature = ""
        check_signatures([signature.removeprefix(section.signature_prefix)] if signature else [], expected)
