"""The operator's settings: ``watchkeeper.toml``, environment variables and secret files.

Each process reads them once (``load_settings``) and passes on what its parts need. The connection to Temporal is not
here: it is read from Temporal's own environment variables and configuration file.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as PydanticSettingsError

from watchkeeper.config.alert_source import AnySource
from watchkeeper.config.field_types import RunLimits, SourceName
from watchkeeper.config.openai_variables import with_openai_variables
from watchkeeper.config.sections import (
    ApprovalSettings,
    ArgoCDSettings,
    EpisodeSettings,
    GitHubSettings,
    IntakeSettings,
    LokiSettings,
    ModelProfile,
    PagerDutySettings,
    PrometheusSettings,
    ReportSettings,
    ServiceSettings,
    SlackSettings,
    TeamSettings,
    TelemetrySettings,
    WatchdogSettings,
    WorkerSettings,
)
from watchkeeper.contracts import AlertOrigin, JsonObject, LimitChanges, Limits
from watchkeeper.redaction import Redactor, address_secrets

__all__ = [
    "CONFIG_FILE",
    "ModelProfile",
    "ServiceSettings",
    "Settings",
    "SettingsError",
    "TeamSettings",
    "env_variable",
    "load_settings",
]

CONFIG_FILE = "watchkeeper.toml"

ON_CALL_TEAM = "on-call"
"""Name for the people that ``pagerduty.routing_key`` pages, when no team is named."""

_PREFIX = "WATCHKEEPER_"
_NESTED = "__"


class SettingsError(Exception):
    """The settings cannot be used. The text names the key and the value, and says what to do."""


def env_variable(*path: str) -> str:
    """Return the variable (or secret file) that sets a key, such as ``("teams", "shop", "routing_key")``."""
    return _PREFIX + _NESTED.join(_variable_spelling(part) for part in path).upper()


def _variable_spelling(name: str) -> str:
    return re.sub(r"\W", "_", name.lower())


class Settings(BaseSettings):
    """All settings of a process."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter=_NESTED,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        nested_model_default_partial_update=True,
    )

    # A factory: only the keys that are set reach the validator below.
    model: ModelProfile = Field(default_factory=ModelProfile)
    fallbacks: list[ModelProfile] = Field(default_factory=list, description="Used in order from attempt 4.")
    limits: RunLimits = Limits(rounds=30, tool_calls=60, tokens=400_000, duration=1_800, failures=5)
    services: dict[str, ServiceSettings] = Field(default_factory=dict)
    teams: dict[str, TeamSettings] = Field(default_factory=dict)
    prometheus: PrometheusSettings = PrometheusSettings()
    loki: LokiSettings = LokiSettings()
    github: GitHubSettings = GitHubSettings()
    argocd: ArgoCDSettings = ArgoCDSettings()
    pagerduty: PagerDutySettings = PagerDutySettings()
    approval: ApprovalSettings = ApprovalSettings()
    reports: ReportSettings = ReportSettings()
    slack: SlackSettings = SlackSettings()
    intake: IntakeSettings = IntakeSettings()
    episodes: EpisodeSettings = EpisodeSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    worker: WorkerSettings = WorkerSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    sources: dict[SourceName, AnySource] = Field(default_factory=dict, description="Systems that may send alerts.")
    tools: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Tables for your own tools.")

    @property
    def profiles(self) -> list[ModelProfile]:
        """The models, in the order in which they are used."""
        return [self.model, *self.fallbacks]

    @property
    def catalogue(self) -> dict[str, list[str]]:
        """Names of the services and teams, sorted: the allowed values of ``Service`` and ``Team`` arguments."""
        owners = {service.team for service in self.services.values()}
        return {"service": sorted(self.services), "team": sorted(owners | set(self.teams))}

    @cached_property
    def secrets(self) -> list[str]:
        """All secrets in the settings, the longest first."""
        custom = _secrets_in_table(self.tools)
        return sorted({secret for secret in _secrets_in(self) if secret} | custom, key=len, reverse=True)

    @cached_property
    def redactor(self) -> Redactor:
        """Removes every secret that is set from a text."""
        return Redactor(self.secrets)

    def limits_for(self, changes: LimitChanges | None) -> Limits:
        """Return the limits of a run: the configured limits, with the changes that its starter asks for."""
        changed = changes.model_dump(exclude_none=True) if changes else {}
        return Limits.model_validate({**self.limits.model_dump(exclude_none=True), **changed})

    def routing_key(self, team: str) -> SecretStr | None:
        """Return the PagerDuty integration key that pages a team; None if the team cannot be paged."""
        return self.teams.get(team, TeamSettings()).routing_key or self.pagerduty.routing_key

    def on_call(self, service: str | None, team: str | None = None) -> str | None:
        """Return the team to page for a hand-off, the first of ``on_call_order``; None if no team can be paged."""
        return next(iter(self.on_call_order(service, team)), None)

    def on_call_order(self, service: str | None, team: str | None = None) -> list[str]:
        """Return the teams to page for a hand-off: each only if those before it cannot be paged.

        In this order: ``team``, if the settings know it; the owner of the service; ``reports.team``;
        ``ON_CALL_TEAM``. A team without a routing key is skipped.
        """
        known = team in self.teams or any(service.team == team for service in self.services.values())
        candidates = [team if known else None, self.team_of(service), self.reports.team]
        if self.pagerduty.routing_key:
            candidates.append(ON_CALL_TEAM)
        return [name for name in dict.fromkeys(candidates) if name and self.routing_key(name)]

    def teams_related_to(self, service: str) -> list[str]:
        """Return the owners of the services that a service calls, and of the services that call it."""
        known = self.services.get(service)
        called = [self.team_of(name) for name in known.depends_on] if known else []
        callers = [other.team for other in self.services.values() if service in other.depends_on]
        return sorted({team for team in [*called, *callers] if team})

    def team_of(self, service: str | None) -> str | None:
        """Return the team that owns a service; None for an unknown service."""
        owner = self.services.get(service or "")
        return owner.team if owner else None

    def channel(self, origin: AlertOrigin | None, service: str | None) -> str | None:
        """Return the Slack channel for a run: its team's channel, otherwise ``slack.channel``. None: no Slack."""
        team = (origin and origin.team) or self.team_of(service) or ""
        channel = self.teams.get(team, TeamSettings()).slack_channel or self.slack.channel
        return channel if self.slack.token and channel else None

    @property
    def notes_incidents(self) -> bool:
        """Whether reports can be added to PagerDuty incidents as notes."""
        return self.pagerduty.api_token is not None and self.pagerduty.from_email is not None

    @property
    def pages_anybody(self) -> bool:
        """Whether any routing key is set."""
        return self.pagerduty.routing_key is not None or any(team.routing_key for team in self.teams.values())

    @model_validator(mode="after")
    def _dependencies_exist(self) -> Settings:
        for name, service in self.services.items():
            for called in service.depends_on:
                if called not in self.services:
                    nearest = get_close_matches(called, self.services, n=1)
                    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(sorted(self.services))}"
                    raise ValueError(f"services.{name}.depends_on: no service {called!r} in the catalogue; {hint}")
        return self

    @model_validator(mode="before")
    @classmethod
    def _respell(cls, tables: JsonObject) -> JsonObject:
        """Restore names that a variable cannot spell: TEAMS__ON_CALL sets the team On-Call, if it exists.

        OPENAI_BASE_URL and its like are read, too: they apply below all other sources of settings.
        """
        if isinstance(model := tables.get("model", {}), dict) and (model := with_openai_variables(model, os.environ)):
            tables = {**tables, "model": model}
        services, teams = tables.get("services", {}), tables.get("teams", {})
        if not isinstance(services, dict) or not isinstance(teams, dict):
            return tables
        owners = [service.get("team") for service in services.values() if isinstance(service, dict)]
        sources = tables.get("sources", {})
        return {
            **tables,
            "sources": _restore_names(sources, ()) if isinstance(sources, dict) else sources,
            "services": _restore_names(services, ()),
            "teams": _restore_names(teams, [owner for owner in owners if isinstance(owner, str)]),
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment variables override secret files, which override ``watchkeeper.toml`` (the arguments)."""
        secrets = NestedSecretsSettingsSource(
            file_secret_settings, secrets_dir_missing="error", secrets_nested_delimiter=_NESTED
        )
        return (env_settings, secrets, init_settings)


def _restore_names(tables: JsonObject, names: Iterable[str]) -> JsonObject:
    known = [*tables, *names]
    spelled = {_variable_spelling(name): name for name in known if name != _variable_spelling(name)}
    merged = {name: table for name, table in tables.items() if name not in spelled}
    for name in tables.keys() & spelled.keys():
        table, own = tables[name], merged.get(spelled[name], {})
        both = isinstance(table, dict) and isinstance(own, dict)
        merged[spelled[name]] = {**own, **table} if both else table
    return merged


def _secrets_in(value: object) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case str():
            yield from address_secrets(value)
        case ModelProfile():
            yield from value.secret_texts()
            for name, member in value:
                if name not in ("headers", "query"):
                    yield from _secrets_in(member)
        case BaseModel():
            for _, member in value:
                yield from _secrets_in(member)
        case dict():
            for member in value.values():
                yield from _secrets_in(member)
        case list():
            for member in value:
                yield from _secrets_in(member)


_SECRET_NAME = re.compile("token|key|secret|password|credential", re.IGNORECASE)


def _secrets_in_table(table: JsonObject) -> set[str]:
    """Return the values in the tables of custom tools whose names say that they are secrets."""
    found: set[str] = set()
    for name, value in table.items():
        if isinstance(value, dict):
            found |= _secrets_in_table(value)
        elif isinstance(value, str):
            found |= {value} if _SECRET_NAME.search(name) else set(address_secrets(value))
    return found - {""}


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings of this process.

    The file is ``path``, otherwise the one that WATCHKEEPER_CONFIG names, otherwise ``watchkeeper.toml`` in the working
    directory if it exists. Secrets may also be in files under WATCHKEEPER_SECRETS_DIR, one file for each key, named
    like the environment variable.

    Raises SettingsError.
    """
    named = path or (Path(os.environ["WATCHKEEPER_CONFIG"]) if os.environ.get("WATCHKEEPER_CONFIG") else None)
    source = named or Path(CONFIG_FILE)
    secrets = os.environ.get("WATCHKEEPER_SECRETS_DIR") or None
    try:
        content = tomllib.loads(source.read_text(encoding="utf-8")) if named or source.exists() else {}
    except OSError as error:
        raise SettingsError(f"cannot read {str(source)!r}: {error.strerror}; name another with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{source} is not valid TOML: {error}") from error
    _refuse_unknown(content, f"in {source}")
    try:
        _refuse_unknown(_tables_in_environment(secrets), "in the environment or WATCHKEEPER_SECRETS_DIR")
        return Settings(**{**content, "_secrets_dir": secrets})
    except ValidationError as error:
        raise SettingsError(f"in {source} or the environment: {_describe_errors(error)}") from error
    except PydanticSettingsError as error:
        because = f": {error.__cause__}" if error.__cause__ else ""
        raise SettingsError(f"in the environment: {error}{because}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read a secret under WATCHKEEPER_SECRETS_DIR={secrets}: {error}") from error


def _tables_in_environment(secrets: str | None) -> Iterator[str]:
    """Yield the tables that nested variables set. Kubernetes sets others, such as WATCHKEEPER_PORT."""
    directory = Path(secrets) if secrets else None
    entries = list(directory.iterdir()) if directory and directory.is_dir() else []
    for entry in entries:
        if entry.name.upper().startswith(_PREFIX) and entry.is_dir():
            raise SettingsError(
                f"WATCHKEEPER_SECRETS_DIR: {entry} is a directory, not a file with a secret; some container engines "
                "create one where the file that was named does not exist"
            )
    for name in [*os.environ, *(entry.name for entry in entries)]:
        if name.upper().startswith(_PREFIX) and _NESTED in name:
            yield name[len(_PREFIX) :].split(_NESTED)[0].lower()


def _refuse_unknown(tables: Iterable[str], place: str) -> None:
    if unknown := sorted(set(tables) - set(Settings.model_fields)):
        available = ", ".join(Settings.model_fields)
        raise SettingsError(f"{place}: no such setting: {', '.join(unknown)}; available: {available}")


def _describe_errors(error: ValidationError) -> str:
    return "; ".join(
        ": ".join(
            [
                *filter(None, [".".join(map(str, fault["loc"]))]),
                _describe_error(fault["type"], fault["msg"], fault["input"]),
            ]
        )
        for fault in error.errors(include_url=False)
    )


def _describe_error(kind: str, message: str, value: object) -> str:
    if kind == "extra_forbidden":
        return "no such setting"
    # A text may be a secret, and so may a value that should have been a text. Other numbers are safe to show.
    shown = f" (got {value!r})" if isinstance(value, bool | int | float) and kind != "string_type" else ""
    return f"{message.removeprefix('Value error, ')}{shown}"
