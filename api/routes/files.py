"""Routes: upload a file, get it back."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from relayline.api.auth.scopes import needs
from relayline.api.depends import OfTenant, Route, Sender, UsesUploads, json_response
from relayline.api.runs.files.uploads import Given
from relayline.contracts.access.audit import Action
from relayline.contracts.files.file_views import FileLimits, FileView
from relayline.contracts.principals import Scope

router = APIRouter(prefix="/v1/files", tags=["files"], route_class=Route)
_NAME = r"^[^\x00-\x1f\x7f/\\]{1,200}$"
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The bytes of the file",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_GUARDS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
}
"""A browser shows nothing of a file as a page of ours, and keeps none."""


@router.post(
    "",
    status_code=201,
    response_model=FileView,
    openapi_extra=needs(Scope.RUNS_WRITE, Action.FILE_UPLOAD) | _BODY,
)
async def upload_file(
    request: Request,
    uploads: UsesUploads,
    sender: Sender,
    name: Annotated[
        str, Query(pattern=_NAME, description="The file's name, without folders.")
    ] = "file",
    content_type: Annotated[
        str, Header(description="Its MIME type; it must not contradict the bytes.")
    ] = "",
) -> Response:
    """Store a file that parts of messages can name; unnamed, it is kept for 24 hours.

    The body is the file, at most `RELAYLINE_MAX_FILE_BYTES`.
    """
    file = await uploads.take(sender, Given(name, content_type), request.stream())
    return json_response(file, 201, {"Location": f"/v1/files/{file.file_id}"})


@router.get("/limits", response_model=FileLimits, openapi_extra=needs(Scope.RUNS_WRITE))
async def get_file_limits(
    uploads: UsesUploads,
    model: Annotated[
        str, Query(max_length=200, description="A model, as a run has it, such as `openai:NAME`.")
    ] = "",
) -> Response:
    """How large files may be, and which of them the model takes."""
    return json_response(uploads.limits(model))


@router.get(
    "/{file_id}",
    response_class=Response,
    responses={200: {"description": "The bytes of the file", "content": {"*/*": {}}}},
    openapi_extra=needs(Scope.RUNS_READ),
)
async def get_file(
    uploads: UsesUploads,
    tenant: OfTenant,
    file_id: Annotated[str, Path(description="The file's id, from `POST /v1/files` or a part.")],
) -> Response:
    """The bytes of a file, as an attachment."""
    file = await uploads.find(tenant, file_id)
    headers = {
        **_GUARDS,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Length": str(file.size),
    }
    pieces = await uploads.read(file)
    return StreamingResponse(pieces, headers=headers, media_type=file.type)
