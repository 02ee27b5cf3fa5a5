"""A request that the scripted model refuses, as OpenAI-compatible hosts say it."""

from __future__ import annotations

from watchkeeper.contracts import JsonObject


class RequestRefused(Exception):
    """The host's answer to a request it does not accept; ``param`` names the offending part of it."""

    def __init__(self, message: str, param: str | None = None, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.status = status
        self.code = code

    @property
    def body(self) -> JsonObject:
        """The error as OpenAI writes it."""
        error = {"message": str(self), "type": "invalid_request_error", "param": self.param, "code": self.code}
        return {"error": error}
