"""Amazon SNS over HTTPS: the envelope, whom it is from, and whose certificate says so."""

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
"""Seconds a message stays good: SNS signs it once and delivers it again and again."""

_HOST = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{10,64}\.pem")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


class SnsEnvelope(Payload):
    """A message of a topic; its values are text as they were signed, not as they could be read."""

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
        """Return what was signed: names and values, a line each; an absent subject is left out."""
        said = {name: getattr(self, name) for name in _SIGNED[self.Type]}
        return "".join(f"{name}\n{value}\n" for name, value in said.items() if value is not None).encode()


def check_certificate_url(url: str) -> None:
    """Take an address at which nobody but SNS can put a certificate. Raises VerificationError."""
    if not (_is_sns(url) and _CERTIFICATE.fullmatch(urlsplit(url).path) and not urlsplit(url).query):
        raise VerificationError("its certificate is not at an address of SNS, so it was not fetched")


def is_confirmation_url(url: str, topic: str) -> bool:
    """Tell whether an address is of SNS and does nothing but confirm the subscription of this topic."""
    asked = parse_qs(urlsplit(url).query) if _is_sns(url) and urlsplit(url).path == "/" else {}
    return asked.get("Action") == ["ConfirmSubscription"] and asked.get("TopicArn") == [topic]


def check_signature(envelope: SnsEnvelope, certificate: bytes) -> None:
    """Take an envelope that the owner of a certificate (PEM) signed. Raises VerificationError."""
    try:
        key = load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        raise VerificationError("what stands at the address of its certificate is none") from None
    if not isinstance(key, RSAPublicKey):
        raise VerificationError("its certificate holds no RSA key")
    algorithm = SHA1() if envelope.SignatureVersion == "1" else SHA256()  # the protocol's version 1
    try:
        signature = base64.b64decode(envelope.Signature, validate=True)
        key.verify(signature, envelope.signed(), PKCS1v15(), algorithm)
    except (InvalidSignature, binascii.Error, ValueError):
        raise VerificationError("its signature is not of its certificate") from None


def _is_sns(url: str) -> bool:
    """Tell whether an address is of SNS itself, over TLS, with no port, password or trick of spelling in it."""
    if not (url.isascii() and url.isprintable()) or any(mark in url for mark in "\\@#; "):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(_HOST.fullmatch(parts.netloc))
