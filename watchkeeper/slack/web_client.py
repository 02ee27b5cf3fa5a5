"""slack_sdk's client, with limits for the size and the time of a response, and without redirects."""

from __future__ import annotations

import time
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from slack_sdk import WebClient

from watchkeeper.http.json_memory import JsonTooLarge, require_small_json
from watchkeeper.http.limited_client import RESPONSE_BYTES

_PART = 65_536


class LimitedWebClient(WebClient):
    """Reads at most ``RESPONSE_BYTES`` of a response, in at most its timeout.

    slack_sdk reads a response of any size, and its timeout limits only the time between two parts of it.
    """

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        deadline = time.monotonic() + self.timeout
        try:
            response = build_opener(HTTPSHandler(context=self.ssl), _NoRedirect).open(req, timeout=self.timeout)
        except HTTPError as error:
            response = error
        with response:
            body = _read(response, deadline)
            charset = response.headers.get_content_charset() or "utf-8"
            headers = dict(response.headers.items())
        return {"status": response.status, "headers": headers, "body": body.decode(charset, errors="replace")}


class _NoRedirect(HTTPRedirectHandler):
    """Makes a redirect an error response: it would send the token to another host."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def _read(response: Any, deadline: float) -> bytes:
    body = bytearray()
    while part := response.read1(_PART):
        body += part
        if len(body) > RESPONSE_BYTES:
            raise HTTPException(f"the response is larger than {RESPONSE_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise HTTPException("the response was not complete in time")
    whole = bytes(body)
    try:
        require_small_json(whole)
    except JsonTooLarge as error:
        raise HTTPException(str(error)) from None
    return whole
