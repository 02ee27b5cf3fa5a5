"""Values that every contract is made of."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object as a vendor or a model sent it; its values are whatever JSON allows."""


Digest = Annotated[str, Field(pattern=r"^[\w-]{22}$")]
"""BLAKE2b-128 in URL-safe base64, which is a third shorter than hexadecimal: each round records seven of them."""


def digest_of(content: bytes) -> Digest:
    """Name a content."""
    return urlsafe_b64encode(blake2b(content, digest_size=16).digest()).decode().rstrip("=")


RunStatus = Literal["running", "concluded", "limit_reached", "failed", "stopped"]
"""How a run stands; everything but ``running`` is final."""


class Contract(BaseModel):
    """A value as it stands in a history: never changed after it was made."""

    model_config = ConfigDict(frozen=True)
