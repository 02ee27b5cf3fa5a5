"""The environment variables of the package ``openai``, which apply below the settings of ``[model]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from watchkeeper.config.host_presets import PRESETS
from watchkeeper.config.model_connection import KEY_SOURCES, ModelConnection, address_parts, key_text

API_KEY = "OPENAI_API_KEY"
BASE_URL = "OPENAI_BASE_URL"
CUSTOM_HEADERS = "OPENAI_CUSTOM_HEADERS"
_IDS = {"organization": "OPENAI_ORG_ID", "project": "OPENAI_PROJECT_ID"}


def with_openai_variables(model: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the table ``[model]`` with what the variables say and the table does not.

    The key, the ids and the headers are used only if the table or OPENAI_BASE_URL names the host: they are not sent to
    the default host. Raises ValueError, with the name of the variable.
    """
    found: dict[str, Any] = {}
    if (address := environ.get(BASE_URL)) and not _names_host(model):
        _check(BASE_URL, partial(address_parts, address, model))
        found["base_url"] = address
    if not _names_host({**model, **found}):
        return model
    if (key := environ.get(API_KEY)) and not any(model.get(name) for name in KEY_SOURCES):
        _check(API_KEY, partial(key_text, key))
        found["api_key"] = key
    for name, variable in _IDS.items():
        if (text := environ.get(variable)) and not model.get(name):
            _check(variable, partial(key_text, text))
            found[name] = text
    own = model.get("headers", {})
    if (lines := environ.get(CUSTOM_HEADERS)) and isinstance(own, dict):
        named = {name.lower() for name in own}
        found["headers"] = {n: v for n, v in _headers(lines).items() if n.lower() not in named} | own
    return {**model, **found}


def _names_host(model: Mapping[str, Any]) -> bool:
    """Whether the table says which host is meant."""
    known = (preset.base_url for name, preset in PRESETS.items() if name == model.get("preset"))
    return bool(model.get("base_url") or next(known, None))


def key_source(profile: ModelConnection, environ: Mapping[str, str]) -> str:
    """Return where a profile's key comes from: a setting, with its value if that is no secret, or OPENAI_API_KEY."""
    if profile.api_key_file is not None:
        return f"api_key_file {str(profile.api_key_file)!r}"
    if profile.api_key_command is not None:
        return f"api_key_command {profile.api_key_command[0]!r}"
    is_variable = profile.api_key is not None and profile.api_key.get_secret_value() == environ.get(API_KEY, "").strip()
    return API_KEY if is_variable else "api_key"


def missing_key(profile: ModelConnection, environ: Mapping[str, str]) -> str:
    """Return the error for a profile without a key."""
    if environ.get(API_KEY) and profile.base_url == ModelConnection().base_url:
        return (
            f"no API key; {API_KEY} is not sent to this default host: name the host that it belongs to with "
            f"{BASE_URL} or WATCHKEEPER_MODEL__BASE_URL, or set WATCHKEEPER_MODEL__API_KEY"
        )
    return (
        "no API key; set WATCHKEEPER_MODEL__API_KEY (any text works for a host that needs no key), or api_key_file or "
        "api_key_command of the profile"
    )


def custom_header_names(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the headers that ``openai`` itself would add to the requests of every profile."""
    return list(_headers(environ.get(CUSTOM_HEADERS, "")))


def _headers(lines: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines.split("\n"))
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _check(variable: str, check: Callable[[], object]) -> None:
    try:
        check()
    except ValueError as error:
        raise ValueError(f"{variable}: {str(error).removeprefix('base_url ')}") from None
