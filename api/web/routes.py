"""Routes: the page in the browser. It speaks the public API and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from relayline.api.auth.scopes import OPEN
from relayline.api.depends import Route, UsesSignIn
from relayline.api.web.assets import FOLDER, SIGN_IN, VIEWS, Asset, page

_CONNECT = "connect-src 'self'"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data: blob:",
        _CONNECT,
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


def _answer(request: Request, asset: Asset, headers: Mapping[str, str]) -> Response:
    """The file, with gzip for who takes it."""
    headers = {**headers, "Content-Type": asset.media_type}
    if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, headers=headers | {"Content-Encoding": "gzip"})
    return Response(asset.body, headers=headers)


def _showing(view: str) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def get_page(request: Request) -> Response:
        """The page; it shows what its path says."""
        return _answer(request, page().indexes[view], _OF_THE_PAGE)

    return get_page


for _path, _view in VIEWS.items():
    router.get(_path, openapi_extra=OPEN)(_showing(_view))


@router.get("/signed-in", openapi_extra=OPEN)
async def get_signed_in(request: Request, sign_in: UsesSignIn) -> Response:
    """The page, where the OpenID provider sends people back; it may ask for their token there."""
    origin = await sign_in.token_origin()
    policy = POLICY.replace(_CONNECT, f"{_CONNECT} {origin}") if origin else POLICY
    headers = _OF_THE_PAGE | {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return _answer(request, page().indexes[SIGN_IN], headers)


@router.get(f"{FOLDER}/{{path:path}}", openapi_extra=OPEN)
async def get_asset(request: Request, path: str) -> Response:
    """A file of the page. Its path has the digest of all, so it never changes.

    Raises:
        HTTPException: 404, this version of the page has no such file.
    """
    asset = page().assets.get(path)
    if asset is None:
        raise HTTPException(404)
    return _answer(request, asset, _OF_ASSETS)
