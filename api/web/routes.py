"""Routes: the page in the browser. It speaks the public API and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from relayline.api.auth.scopes import OPEN
from relayline.api.depends import Route
from relayline.api.web.assets import FOLDER, page

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""No other host, nothing inline, and no text becomes HTML."""
_FOR_ALL = {"X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
_OF_THE_PAGE = _FOR_ALL | {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
_OF_ASSETS = _FOR_ALL | {"Cache-Control": "public, max-age=31536000, immutable"}


class PageRoute(Route):
    """A route of the page: it is open, and query parameters are the page's own."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, without the checks of the API."""
        return super(Route, self).get_route_handler()


router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/", openapi_extra=OPEN)
@router.get("/runs", openapi_extra=OPEN)
@router.get("/runs/{run_id}", openapi_extra=OPEN)
@router.get("/inbox", openapi_extra=OPEN)
@router.get("/agents", openapi_extra=OPEN)
@router.get("/system", openapi_extra=OPEN)
async def get_page() -> Response:
    """The page; it shows what its path says."""
    return Response(page().index, headers=_OF_THE_PAGE, media_type="text/html")


@router.get(f"{FOLDER}/{{path:path}}", openapi_extra=OPEN)
async def get_asset(request: Request, path: str) -> Response:
    """A file of the page. Its path has the digest of all, so it never changes.

    Raises:
        HTTPException: 404, this version of the page has no such file.
    """
    asset = page().assets.get(path)
    if asset is None:
        raise HTTPException(404)
    headers = {**_OF_ASSETS, "Content-Type": asset.media_type}
    if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, headers=headers | {"Content-Encoding": "gzip"})
    return Response(asset.body, headers=headers)
