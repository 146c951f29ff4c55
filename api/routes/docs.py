"""Routes: Swagger UI for the OpenAPI document, with all its files: it needs no internet."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from relayline.api.auth.scopes import OPEN
from relayline.api.depends import Route

router = APIRouter(include_in_schema=False, route_class=Route)
_FOLDER = Path(str(files("fastapi_swagger") / "resources"))
_ASSETS = frozenset({"swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""No other host and no inline script; Swagger UI needs inline styles."""
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Relayline API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: "none",
});
"""


@router.get("/openapi.json", openapi_extra=OPEN)
async def document(request: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs", openapi_extra=OPEN)
async def docs() -> Response:
    """The page; its links are relative, so it works under any path of a proxy."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/start.js", openapi_extra=OPEN)
async def start() -> Response:
    """The script that loads the document into the page."""
    return Response(_START, media_type="text/javascript")


@router.get("/docs/{name}", openapi_extra=OPEN)
async def asset(name: str) -> Response:
    """A file of Swagger UI.

    Raises:
        HTTPException: 404, there is no such file.
    """
    if name not in _ASSETS:
        raise HTTPException(404)
    return FileResponse(_FOLDER / name)
