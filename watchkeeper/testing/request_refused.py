"""The error by which the scripted model refuses a request, in the format of OpenAI-compatible hosts."""

from __future__ import annotations

from watchkeeper.contracts import JsonObject


class RequestRefused(Exception):
    """The host refuses a request. ``param`` names the invalid part, ``status`` is the HTTP status of the answer."""

    def __init__(self, message: str, param: str | None = None, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.status = status
        self.code = code

    @property
    def body(self) -> JsonObject:
        """The error body in OpenAI's format."""
        error = {"message": str(self), "type": "invalid_request_error", "param": self.param, "code": self.code}
        return {"error": error}
