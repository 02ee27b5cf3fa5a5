"""The settings that all kinds of alert sources share: who may send alerts, and which alerts start a run."""

from __future__ import annotations

import importlib
import json
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, SerializeAsAny, model_validator
from pydantic_settings import NoDecode

from watchkeeper.config.field_types import Secret, Section
from watchkeeper.contracts import AlertReason


def _read_list(value: object) -> object:
    """Read a list from the text of a variable or a secret file: JSON, or one item a line."""
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
            raise ValueError("starts like a JSON list but is not valid JSON") from None
    return [line.strip() for line in value.splitlines() if line.strip()]


def _no_empty_secret(secrets: list[SecretStr]) -> list[SecretStr]:
    if not all(secret.get_secret_value() for secret in secrets):
        raise ValueError("contains an empty secret, which anyone can guess; remove it")
    return secrets


Secrets = Annotated[list[Secret], NoDecode, BeforeValidator(_read_list), AfterValidator(_no_empty_secret)]
"""Secrets that are all valid, so that one can be replaced by another without interruption."""

Names = Annotated[list[str], NoDecode, BeforeValidator(_read_list)]
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$"), AfterValidator(str.lower)]
Patterns = dict[str, Names]
"""For each label, patterns of values; ``*``, ``?`` and ``[...]`` work as in file names."""


SERVICE_LABELS = (
    *("service", "exported_service", "service_name", "destination_service_name", "destination_service"),
    *("app", "app_kubernetes_io_name", "label_app_kubernetes_io_name", "label_app", "component"),
    *("deployment", "statefulset", "daemonset", "cronjob", "workload", "destination_workload"),
    *("container", "exported_container", "horizontalpodautoscaler", "poddisruptionbudget", "ingress", "owner_name"),
    *("exported_job", "job", "job_name", "replicaset", "pod", "exported_pod", "persistentvolumeclaim", "project"),
    *("target", "server_name", "hostname", "host", "instance"),
)
"""Labels that name the service in what services, Kubernetes, exporters and hosts send, the surest first."""


class SourceSection(Section):
    """One ``[sources.NAME]`` table. A sender must pass every check that is set: signature, token, password."""

    signs: ClassVar[bool] = False
    """Whether senders of this kind sign their requests with a shared secret."""

    kind: str
    secrets: Secrets = Field(default_factory=list, description="Secrets with which the sender signs.")
    tokens: Secrets = Field(default_factory=list, description="Tokens that are accepted: Authorization: Bearer TOKEN.")
    token_header: HeaderName = Field(default="authorization", description="Another header, with the token alone.")
    username: str | None = Field(default=None, description="User name for basic authentication.")
    passwords: Secrets = Field(default_factory=list, description="Passwords for basic authentication.")
    unauthenticated: bool = Field(
        default=False, description="Accept every sender; a proxy in front of Watchkeeper must authenticate them."
    )

    severities: Names = Field(
        default=["critical", "error"], description="Severities that start a run, in the vendor's spelling or in ours."
    )
    without_severity: bool = Field(default=True, description="Whether an alert without a severity starts a run.")
    unknown_severity: bool = Field(
        default=True, description="Whether an alert starts a run whose severity is a word that is not known."
    )
    labels: Patterns = Field(default_factory=dict, description="Only alerts with all of these labels start a run.")
    ignore: Patterns = Field(default_factory=dict, description="Alerts with any of these labels start no run.")
    also: list[AlertReason] = Field(
        default_factory=list, description="Which of tests, missing data and reminders also start a run."
    )

    joins_pagerduty: bool | None = Field(
        default=None,
        description="Whether pages join the PagerDuty incident that this sender opens for the same alerts. Not set: "
        "where that incident is known to be open. Only for senders whose incidents can be recognized.",
    )

    service_labels: Names = Field(
        default=list(SERVICE_LABELS),
        description="Labels that may name a service of the catalogue. The first one that does is used.",
    )
    split_by: Names = Field(
        default_factory=list,
        description="Labels whose values separate alerts that the sender puts into equal groups. Default: cluster for "
        "the kinds alertmanager and grafana, none for others.",
    )

    @model_validator(mode="after")
    def _someone_may_send(self) -> SourceSection:
        if self.secrets and not self.signs:
            raise ValueError(f"senders of kind {self.kind} do not sign; set tokens, or username and passwords")
        if bool(self.passwords) != (self.username is not None):
            raise ValueError("username and passwords go together")
        if self.unauthenticated and self.proofs:
            raise ValueError("unauthenticated is true, but there are secrets, tokens or passwords; remove one of them")
        if not self.unauthenticated and not self.proofs:
            ways = "secrets, tokens" if self.signs else "tokens"
            raise ValueError(
                f"anyone could send alerts; set {ways}, or username and passwords, or unauthenticated = true "
                "if a proxy in front of Watchkeeper authenticates the senders"
            )
        return self

    @property
    def is_proven_by_headers(self) -> bool:
        """Whether a sender is known to be the right one before its body is read."""
        return bool(self.unauthenticated or self.tokens or self.passwords)

    @property
    def proofs(self) -> bool:
        """Whether senders must authenticate."""
        return bool(self.secrets or self.tokens or self.passwords)


def _read_section(table: object) -> object:
    """Read a table as its kind defines it.

    The registry is loaded by name, because the alert sources import this package.
    """
    registry: Any = importlib.import_module("watchkeeper.alerts.registry")
    return registry.read_section(table)


AnySource = Annotated[SerializeAsAny[SourceSection], BeforeValidator(_read_section)]
"""A ``[sources.NAME]`` table, in the form that its kind defines."""
