"""Types of the fields in ``watchkeeper.toml``, with their checks."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from watchkeeper.contracts import Limits

_PREFIX = "whsec_"
_MIN_KEY_BYTES = 16
"""A shorter key can be guessed from one signed request."""


def signing_key(secret: SecretStr) -> bytes:
    """Return the key of a Standard Webhooks secret.

    Raises ValueError unless the secret is ``whsec_`` and the base64 of at least 16 bytes.
    """
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else b""
    except binascii.Error:
        key = b""
    if len(key) < _MIN_KEY_BYTES:
        command = f"echo {_PREFIX}$(openssl rand -base64 32)"
        raise ValueError(f"must be {_PREFIX} and the base64 of at least {_MIN_KEY_BYTES} bytes; make one: {command}")
    return key


def _http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must be an http:// or https:// address")  # not shown: it may contain a password
    return url.rstrip("/")


def _fits_header(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("contains characters that an HTTP header cannot contain; copy the secret again")
    return SecretStr(text)


def _is_signing_key(secret: SecretStr) -> SecretStr:
    signing_key(secret)
    return secret


def _run_url(url: str) -> str:
    if "{run}" not in url:
        raise ValueError("must contain {run}, which is replaced by the run's workflow id")
    return _http_url(url)


def _matchers(selector: str) -> str:
    matchers = selector.strip().removeprefix("{").removesuffix("}").strip()
    if not matchers:
        raise ValueError("contains no matcher")
    return matchers


def _known_limits(limits: object) -> object:
    if isinstance(limits, dict) and (unknown := sorted(limits.keys() - Limits.model_fields.keys())):
        raise ValueError(f"no such limit: {', '.join(unknown)}; available: {', '.join(Limits.model_fields)}")
    return limits


def _none_as_text(value: object) -> object:
    """TOML and variables have no null."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Secret = Annotated[SecretStr, AfterValidator(_fits_header)]
SigningSecret = Annotated[Secret, AfterValidator(_is_signing_key)]
RunUrl = Annotated[str, AfterValidator(_run_url)]
RunLimits = Annotated[Limits, BeforeValidator(_known_limits)]
TokenLimit = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_none_as_text)]
"""Tokens; None, or the text "none": no limit is sent."""
Matchers = Annotated[str, AfterValidator(_matchers)]
SourceName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,49}$")]
"""Part of the URL that alerts are sent to, and of the ids of their runs."""


class Section(BaseModel):
    """A table of the file. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
