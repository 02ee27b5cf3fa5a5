"""The part of a model profile that says how its host is reached: address, key, headers, Azure, TLS and proxy."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from watchkeeper.config.field_types import Secret, Section
from watchkeeper.redaction import public_address

_CHAT_PATH = "/chat/completions"
_DEPLOYMENT_PATH = re.compile(r"(?P<endpoint>.*)/openai/deployments/(?P<name>[^/]+)$")
_HOST_FIRST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}(:\d+)?(/|$)|localhost(:\d+)?(/|$)")
_AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
_AZURE_VERSION = "api-version"
"""Azure's query parameter."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TRANSPORT_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "content-type", "host", "te"}
    | {"trailer", "transfer-encoding", "upgrade"}
)
"""Headers that the HTTP client writes itself."""

SECRET_NAME = re.compile(r"token|key|secret|passw|credential|auth|cookie|\bsig|\bcode$", re.IGNORECASE)
"""Names of headers and query parameters whose value is a secret."""


def _header_name(name: str) -> str:
    name = name.strip().replace("_", "-")  # a variable cannot spell a hyphen, and hosts drop names with an underscore
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an HTTP header; use letters, digits and hyphens")
    if name.lower() in _TRANSPORT_HEADERS:
        raise ValueError(f"the header {name} is set by the HTTP client; remove it")
    return name


def _header_value(text: str) -> str:
    text = text.strip()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("contains characters that an HTTP header cannot contain; copy the value again")
    return text


def _secret_header_value(value: SecretStr) -> SecretStr:
    return SecretStr(_header_value(value.get_secret_value()))


def _text(value: object) -> object:
    """Accept what TOML and variables write without quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int | float) else value


def _command(value: object) -> object:
    return shlex.split(value) if isinstance(value, str) else value


def _api_version(version: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(-preview)?|preview|latest|v1", version):
        raise ValueError(f"{version!r} is not a version of Azure's API; write a date, such as 2024-10-21")
    return version


def _proxy_url(url: str) -> str:
    parts = _split(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{_shown(url)} is not the address of a proxy; write http://HOST:PORT".strip())
    return url.strip()


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderText = Annotated[str, AfterValidator(_header_value)]
HeaderValue = Annotated[SecretStr, BeforeValidator(_text), AfterValidator(_secret_header_value)]
QueryValue = Annotated[SecretStr, BeforeValidator(_text)]
Command = Annotated[list[str], BeforeValidator(_command), Field(min_length=1)]
ApiVersion = Annotated[str, AfterValidator(_api_version)]
ProxyUrl = Annotated[str, AfterValidator(_proxy_url)]

KEY_SOURCES = ("api_key", "api_key_file", "api_key_command")


class ModelConnection(Section):
    """How the host of a model is reached.

    Relative paths are relative to the folder in which a process starts.
    """

    base_url: str = Field(
        default="https://api.runware.ai/v1",
        description="Address of the API; `/chat/completions` is added to it. A query becomes `query`.",
    )
    api_key: Secret | None = None
    api_key_file: Path | None = Field(
        default=None, description="File that holds the key; read again when it changes, and when the host refuses it."
    )
    api_key_command: Command | None = Field(
        default=None, description="Program that prints the key; run once, and again when the host refuses the key."
    )
    key_header: HeaderName | None = Field(
        default=None,
        description="Header that carries the key. Default: Authorization, as `Bearer KEY`; `api-key` for Azure's "
        "classic API, unless the key is a token of Entra.",
    )
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict, description="More headers of every request.")
    query: dict[str, QueryValue] = Field(default_factory=dict, description="Query parameters of every request.")
    organization: HeaderText | None = Field(default=None, description="Id of an organization at OpenAI.")
    project: HeaderText | None = Field(default=None, description="Id of a project at OpenAI.")
    api_version: ApiVersion | None = Field(default=None, description="Version of Azure's classic API.")
    deployment: str | None = Field(
        default=None, min_length=1, description="Name of the deployment in Azure's classic API. Default: `name`."
    )
    proxy: ProxyUrl | None = Field(default=None, description="Instead of that in HTTPS_PROXY and HTTP_PROXY.")
    ca_file: Path | None = Field(default=None, description="CA certificates to trust, in addition to the system's.")
    client_cert_file: Path | None = Field(default=None, description="Certificate to present to the host, as PEM.")
    client_key_file: Path | None = Field(
        default=None, description="Its key, as PEM; not needed if the certificate's file holds it too."
    )
    client_key_password: Secret | None = Field(default=None, description="Password of that key.")

    @property
    def is_azure_classic(self) -> bool:
        """Whether requests are sent to a deployment, with a version in the query."""
        return self.api_version is not None

    @property
    def has_key(self) -> bool:
        """Whether requests are authenticated in any way."""
        given = any(getattr(self, name) is not None for name in (*KEY_SOURCES, "client_cert_file"))
        return given or any(name.lower() in ("authorization", "api-key") for name in self.headers)

    def secret_texts(self) -> Iterator[str]:
        """Yield the values of headers and query parameters whose names say that they are secrets."""
        for name, value in (*self.headers.items(), *self.query.items()):
            if SECRET_NAME.search(name):
                text = value.get_secret_value()
                yield from {text, text.rpartition(" ")[2]}  # without the scheme, such as Basic

    @model_validator(mode="before")
    @classmethod
    def _take_address_apart(cls, table: Any) -> Any:
        if not isinstance(table, dict) or not isinstance(address := table.get("base_url"), str):
            return table
        return address_parts(address, table)

    @model_validator(mode="after")
    def _is_consistent(self) -> ModelConnection:
        given = [name for name in KEY_SOURCES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are set; keep one of them")
        carriers = {"authorization", (self.key_header or "").lower()}
        if given and (doubled := [name for name in self.headers if name.lower() in carriers]):
            raise ValueError(f"{given[0]} and headers.{doubled[0]} are set; keep one of them")
        if self.deployment is not None and self.api_version is None:
            raise ValueError(
                f"deployment = {self.deployment!r} belongs to Azure's classic API and needs api_version, such as "
                "2024-10-21; for Azure's v1 API (/openai/v1), write the deployment into name"
            )
        for name, needed in (("client_key_file", "client_cert_file"), ("client_key_password", "client_cert_file")):
            if getattr(self, name) is not None and getattr(self, needed) is None:
                raise ValueError(f"{name} is set without {needed}; set both")
        if self.client_cert_file is not None and not self.base_url.startswith("https://"):
            raise ValueError(
                f"client_cert_file needs TLS, and base_url is {public_address(self.base_url)!r}; write https://"
            )
        return self


def address_parts(address: str, table: dict[str, Any]) -> dict[str, Any]:
    """Return a profile's table with its address taken apart: the base of all requests, its query, and Azure's parts.

    Keys that the table sets are kept. Raises ValueError if the address cannot be used.
    """
    parts = _split(address.strip())
    shown = f"base_url {_shown(address)}".rstrip()
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{shown} must be an http:// or https:// address, such as https://api.example.com/v1")
    if re.search(r"\s", address.strip()):
        raise ValueError(f"{shown} contains a space; copy the address again")
    if parts.fragment:
        raise ValueError(f"{shown} ends with #{parts.fragment}; remove that part")
    query: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if query.setdefault(name, value) != value:
            raise ValueError(f"{shown} has the query parameter {name} twice; keep one of them")
    table = dict(table)
    path = parts.path.rstrip("/").removesuffix(_CHAT_PATH).rstrip("/")
    if table.get("api_version") or parts.hostname.endswith(_AZURE_HOSTS) or _DEPLOYMENT_PATH.match(path):
        path = _take_azure_apart(path, query, table, shown)
    if query and isinstance(given := table.get("query", {}), dict):
        table["query"] = {**query, **given}
    return {**table, "base_url": urlunsplit((parts.scheme, parts.netloc, path, "", ""))}


def _take_azure_apart(path: str, query: dict[str, str], table: dict[str, Any], shown: str) -> str:
    """Move the version and the deployment from an address of Azure into a profile's table; return the path left."""
    version = table.pop("api_version", None) or query.pop(_AZURE_VERSION, None)
    if path.endswith(("/v1", "/models")):  # these parts of Azure's API have a version, and no deployments
        query.update({_AZURE_VERSION: version} if version else {})
        return path
    if version is None:
        raise ValueError(
            f"{shown} is Azure's classic API, which needs api_version, such as 2024-10-21; for Azure's v1 API, let the "
            "address end with /openai/v1"
        )
    table["api_version"] = version
    if match := _DEPLOYMENT_PATH.match(path):
        table.setdefault("deployment", match["name"])
        path = match["endpoint"]
    return path.removesuffix("/openai")


def _shown(address: str) -> str:
    """Return an address as an error may show it: without secrets, and empty if it may be a secret itself."""
    address = public_address(address.strip()).partition("?")[0]
    return repr(address) if "://" in address or _HOST_FIRST.match(address) else ""


def _split(address: str) -> Any:
    """Split an address. One with a bad port or bracket has no host."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def key_text(key: str | SecretStr) -> str:
    """Return a key as it is sent: without surrounding space. Raises ValueError if a header cannot contain it."""
    text = _header_value(key if isinstance(key, str) else key.get_secret_value())
    if not text:
        raise ValueError("is empty")
    return text
