"""Amazon SNS over HTTPS: the message envelope and the verification of its signature.

The signature format is described at https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

from watchkeeper.alerts.payload import Payload
from watchkeeper.alerts.verification import VerificationError

TOLERANCE = 3_600.0
"""Seconds for which a signed message is accepted. SNS signs a message once and retries its delivery."""

_HOST = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{10,64}\.pem")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


class SnsEnvelope(Payload):
    """A message of a topic. Its values are not converted, because the signature covers the original text."""

    Type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]
    MessageId: str
    TopicArn: str
    Message: str
    Timestamp: str
    SignatureVersion: Literal["1", "2"]
    Signature: str
    SigningCertURL: str
    Subject: str | None = None
    Token: str | None = None
    SubscribeURL: str | None = None

    def signed(self) -> bytes:
        """Return the signed text: each name and each value on its own line. An absent subject is left out."""
        values = {name: getattr(self, name) for name in _SIGNED[self.Type]}
        return "".join(f"{name}\n{value}\n" for name, value in values.items() if value is not None).encode()


def check_certificate_url(url: str) -> None:
    """Check that only SNS can publish a certificate at a URL. Raises VerificationError."""
    if not (_is_sns(url) and _CERTIFICATE.fullmatch(urlsplit(url).path) and not urlsplit(url).query):
        raise VerificationError("its certificate is not at a URL of SNS, so it was not fetched")


def is_confirmation_url(url: str, topic: str) -> bool:
    """Return whether a URL is of SNS and only confirms the subscription of this topic."""
    query = parse_qs(urlsplit(url).query) if _is_sns(url) and urlsplit(url).path == "/" else {}
    return query.get("Action") == ["ConfirmSubscription"] and query.get("TopicArn") == [topic]


def check_signature(envelope: SnsEnvelope, certificate: bytes) -> None:
    """Check the signature of an envelope with a certificate (PEM). Raises VerificationError."""
    try:
        key = load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        raise VerificationError("the URL of its certificate returned no certificate") from None
    if not isinstance(key, RSAPublicKey):
        raise VerificationError("its certificate holds no RSA key")
    algorithm = SHA1() if envelope.SignatureVersion == "1" else SHA256()  # version 1 of the protocol signs with SHA-1
    try:
        signature = base64.b64decode(envelope.Signature, validate=True)
        key.verify(signature, envelope.signed(), PKCS1v15(), algorithm)
    except (InvalidSignature, binascii.Error, ValueError):
        raise VerificationError("its signature does not match its certificate") from None


def _is_sns(url: str) -> bool:
    """Return whether a URL is an https URL of SNS without port, password or confusing characters."""
    if not (url.isascii() and url.isprintable()) or any(mark in url for mark in "\\@#; "):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(_HOST.fullmatch(parts.netloc))
