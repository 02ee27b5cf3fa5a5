"""The package ``openai`` as the connection to one model profile: our bytes, our HTTP client, the key as it is now."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx2
from pydantic import SecretStr

from watchkeeper import __version__
from watchkeeper.config.openai_variables import custom_header_names
from watchkeeper.config.settings import ModelProfile
from watchkeeper.llm import openai_patches
from watchkeeper.llm.model_key import ModelKey
from watchkeeper.llm.model_transport import WIRE_REQUEST, WireRequest, open_transport
from watchkeeper.redaction import public_address

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai._types import RequestOptions

CHAT_PATH = "/chat/completions"

KEPT_KEYS = 4
"""How many keys are remembered, to redact them. A response may arrive when its key has been replaced."""


async def load_openai() -> None:
    """Import the package ``openai``, which takes most of a second of CPU, in a thread."""
    await asyncio.to_thread(import_module, "openai")


class OpenAIConnection:
    """Sends requests to the host of a profile, with its key, headers and query. A redirect is not followed."""

    def __init__(self, profile: ModelProfile) -> None:
        """Prepare, without a connection. Raises SettingsError if the certificates cannot be used."""
        self.keys = deque[str]([""], maxlen=KEPT_KEYS)
        """The keys of the latest requests."""
        self._profile = profile
        self._source = ModelKey(profile)
        self._http = open_transport(profile)
        self._client: AsyncOpenAI | None = None

    async def open(self) -> AsyncOpenAI:
        """Return the client of the package; the first call imports the package, which takes a while."""
        if self._client is None:
            await load_openai()
            self._client = self._client or _new_client(self._profile, self._http)
        return self._client

    async def post(self, body: bytes, *, stream: bool) -> httpx2.Response:
        """Send the bytes of a chat completion; return the response, of any status.

        With ``stream``, the body of a success is not read yet.

        If the host refuses the key, and its source has another by now, the request is sent once more.

        Raises ModelError for a key that cannot be read, and the errors of ``openai`` and ``httpx2``.
        """
        return await self._with_key(CHAT_PATH, body, stream=stream)

    async def get(self, path: str) -> httpx2.Response:
        """As ``post``, for a request without a body."""
        return await self._with_key(path, None, stream=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _with_key(self, path: str, body: bytes | None, *, stream: bool) -> httpx2.Response:
        used = await self._source.read()
        response = await self._send(path, body, used, stream=stream)
        if response.status_code == httpx2.codes.UNAUTHORIZED and (key := await self._source.read_again(used)):
            response = await self._send(path, body, key, stream=stream)
        return response

    async def _send(self, path: str, body: bytes | None, key: str, *, stream: bool) -> httpx2.Response:
        client = await self.open()
        from openai import APIStatusError

        if key not in self.keys:
            self.keys.append(key)
        options = _options(self._profile)
        token = WIRE_REQUEST.set(WireRequest(_key_headers(self._profile, key)))
        try:
            if body is None:
                return await client.get(path, cast_to=httpx2.Response, options=options)
            if openai_patches.is_patched():
                return await openai_patches.create(client, body, options)
            response: httpx2.Response = await client.post(
                path, cast_to=httpx2.Response, content=body, options=options, stream=stream
            )
            return response
        except APIStatusError as error:
            return error.response
        finally:
            WIRE_REQUEST.reset(token)


def _new_client(profile: ModelProfile, http: httpx2.AsyncClient) -> AsyncOpenAI:
    from openai import AsyncAzureOpenAI, AsyncOpenAI

    headers = {"User-Agent": f"watchkeeper/{__version__}", **_texts(profile.headers)}
    address = public_address(profile.base_url)
    client: AsyncOpenAI
    if profile.api_version is not None:
        client = AsyncAzureOpenAI(
            api_key=_no_key,
            azure_endpoint=address,
            azure_deployment=quote(profile.deployment or profile.name, safe=""),
            api_version=profile.api_version,
            max_retries=0,
            timeout=http.timeout,
            default_headers=headers,
            default_query=_texts(profile.query),
            http_client=http,
        )
    else:
        client = AsyncOpenAI(
            api_key=_no_key,
            base_url=address,
            max_retries=0,
            timeout=http.timeout,
            default_headers=headers,
            default_query=_texts(profile.query),
            http_client=http,
        )
    # Without these lines, the ids of OPENAI_ORG_ID and OPENAI_PROJECT_ID would be sent to every host.
    client.organization, client.project = profile.organization, profile.project
    return client


async def _no_key() -> str:
    """The HTTP client adds the key to each request. Without this function, OPENAI_API_KEY would be sent."""
    return ""


def _options(profile: ModelProfile) -> RequestOptions:
    """Return options that omit each header of the environment which the profile has not taken over."""
    from openai import omit

    names = ["Authorization", *custom_header_names(os.environ)]
    own = {name.lower() for name in profile.headers}
    headers = {name: omit for name in names if name.lower() not in own}
    return {"headers": headers, "security": {"bearer_auth": True}}  # not with the key of OPENAI_ADMIN_KEY


def _key_headers(profile: ModelProfile, key: str) -> dict[str, str]:
    """Return the header that carries a key. Azure's keys have a separate one; tokens of Entra are JSON Web Tokens."""
    is_token = key.startswith("eyJ") and key.count(".") == 2
    name = profile.key_header or ("api-key" if profile.api_version and not is_token else "Authorization")
    return {} if not key else {name: f"Bearer {key}" if name.lower() == "authorization" else key}


def _texts(values: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in values.items()}
