"""Values that every contract is made of."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object as a vendor or a model sent it, with any JSON values."""


Digest = Annotated[str, Field(pattern=r"^[\w-]{22}$")]
"""BLAKE2b-128 in URL-safe base64, which is a third shorter than hexadecimal: each round records seven of them."""


def digest_of(content: bytes) -> Digest:
    """Return the digest of a content."""
    return urlsafe_b64encode(blake2b(content, digest_size=16).digest()).decode().rstrip("=")


RunStatus = Literal["running", "concluded", "limit_reached", "failed", "stopped"]
"""The status of a run; every status except ``running`` is final."""


class Contract(BaseModel):
    """A value that is recorded in a history, so it never changes after it was made."""

    model_config = ConfigDict(frozen=True)
