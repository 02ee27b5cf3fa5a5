"""The table of an alert source, as far as it is the same for every kind: who may send, and what starts a run."""

from __future__ import annotations

import importlib
import json
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, SerializeAsAny, model_validator
from pydantic_settings import NoDecode

from watchkeeper.config.field_types import Secret, Section
from watchkeeper.contracts import AlertReason


def _read_list(value: object) -> object:
    """Read a list from one text, as a variable or a secret file holds it: JSON, or one item a line."""
    if isinstance(value, SecretStr):
        return [value]
    if isinstance(value, int):
        return [str(value)]
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("begins like a JSON list but is none") from None
    return [line.strip() for line in value.splitlines() if line.strip()]


def _no_empty_secret(secrets: list[SecretStr]) -> list[SecretStr]:
    if not all(secret.get_secret_value() for secret in secrets):
        raise ValueError("holds an empty secret, which anybody knows; leave it out")
    return secrets


Secrets = Annotated[list[Secret], NoDecode, BeforeValidator(_read_list), AfterValidator(_no_empty_secret)]
"""Secrets of which each is good, so that one can take the place of another without a gap."""

Names = Annotated[list[str], NoDecode, BeforeValidator(_read_list)]
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$"), AfterValidator(str.lower)]
Patterns = dict[str, Names]
"""Names of labels, and for each the values that fit; ``*``, ``?`` and ``[...]`` as in file names."""


class SourceSection(Section):
    """One ``[sources.NAME]``. A sender must show all that is set: a signature, and a token or a password."""

    signs: ClassVar[bool] = False
    """Whether senders of this kind sign with a shared secret."""

    kind: str
    secrets: Secrets = Field(default_factory=list, description="What the sender signs with.")
    tokens: Secrets = Field(default_factory=list, description="What the sender shows: Authorization: Bearer TOKEN.")
    token_header: HeaderName = Field(default="authorization", description="Another header that holds the bare token.")
    username: str | None = Field(default=None, description="For basic authentication.")
    passwords: Secrets = Field(default_factory=list, description="Likewise.")
    unauthenticated: bool = Field(default=False, description="Something before Watchkeeper tells who may send.")

    severities: Names = Field(
        default=["critical", "error"], description="Severities that start a run, in the vendor's spelling or in ours."
    )
    without_severity: bool = Field(default=True, description="Whether an alert that names none starts a run.")
    labels: Patterns = Field(default_factory=dict, description="Only alerts with all of these start a run.")
    ignore: Patterns = Field(default_factory=dict, description="Alerts with any of these start none.")
    also: list[AlertReason] = Field(
        default_factory=list, description="Tests, missing data or reminders that start one."
    )

    service_labels: Names = Field(
        default=["service", "app", "app_kubernetes_io_name", "component", "deployment", "job"],
        description="Labels that may name a service of the catalogue, the first that does decides.",
    )

    @model_validator(mode="after")
    def _someone_may_send(self) -> SourceSection:
        if self.secrets and not self.signs:
            raise ValueError(f"senders of kind {self.kind} sign nothing; set tokens, or username and passwords")
        if bool(self.passwords) != (self.username is not None):
            raise ValueError("username and passwords go together")
        if self.unauthenticated and self.proofs:
            raise ValueError("unauthenticated, yet it has secrets; remove one of them")
        if not self.unauthenticated and not self.proofs:
            ways = "secrets, tokens" if self.signs else "tokens"
            raise ValueError(
                f"anybody could send alerts; set {ways}, or username and passwords, or say unauthenticated = true "
                "where a proxy before Watchkeeper tells who may send"
            )
        return self

    @property
    def proofs(self) -> bool:
        """Whether a sender must prove who it is."""
        return bool(self.secrets or self.tokens or self.passwords)


def _read_section(table: object) -> object:
    """Read a table as its kind defines it.

    The registry is loaded by name, because the alert sources import this package.
    """
    registry: Any = importlib.import_module("watchkeeper.alerts.registry")
    return registry.read_section(table)


AnySource = Annotated[SerializeAsAny[SourceSection], BeforeValidator(_read_section)]
"""A ``[sources.NAME]`` table, in the form that its kind defines."""
