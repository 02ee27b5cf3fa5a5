"""The error by which the scripted model refuses a request, in the format of OpenAI-compatible hosts."""

from __future__ import annotations

from watchkeeper.contracts import JsonObject


class RequestRefused(Exception):
    """The host refuses a request.

    ``param`` names the invalid part, ``status`` is the HTTP status of the answer, ``body`` replaces its body.
    """

    def __init__(
        self,
        message: str,
        param: str | None = None,
        *,
        status: int = 400,
        code: str | None = None,
        body: JsonObject | None = None,
    ) -> None:
        super().__init__(message)
        self.param = param
        self.status = status
        self.code = code
        self._body = body

    @property
    def body(self) -> JsonObject:
        """The error body, in OpenAI's format unless another was given."""
        if self._body is not None:
            return self._body
        error = {"message": str(self), "type": "invalid_request_error", "param": self.param, "code": self.code}
        return {"error": error}
