"""``/docs``: the API in Swagger UI. The page loads only files of this process, and runs no script in the page itself.

The package ``fastapi-standalone-docs`` (MIT) ships the files of Swagger UI (Apache-2.0) with their licence.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, HTMLResponse, Response

PREFIX = "/docs/"

_FILES = {
    "swagger-ui.css": ("swagger/swagger-ui.css", "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": ("swagger/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    "favicon.png": ("fastapi/favicon.png", "image/png"),
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Watchkeeper API</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null
});
"""

CONTENT_SECURITY_POLICY = (
    # Swagger UI writes style attributes, and its style sheet has pictures as data.
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def routes() -> APIRouter:
    """Return the routes of the page and its files."""
    router = APIRouter(include_in_schema=False)
    static = Path(str(files("fastapi_standalone_docs"))) / "static"

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(_PAGE, headers=_HEADERS)

    @router.get(f"{PREFIX}start.js")
    async def start() -> Response:
        return Response(_START, media_type="text/javascript", headers=_HEADERS)

    def serve_file(name: str, path: str, media_type: str) -> None:
        @router.get(f"{PREFIX}{name}")
        async def asset() -> FileResponse:
            return FileResponse(static / path, media_type=media_type, headers=_HEADERS)

    for name, (path, media_type) in _FILES.items():
        serve_file(name, path, media_type)
    return router
