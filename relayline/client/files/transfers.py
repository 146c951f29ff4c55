"""Uploads and downloads, as both clients make them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import httpx

from relayline.client.calls import CONNECT_TIMEOUT_S
from relayline.client.errors import InvalidArgument, error_of, no_answer
from relayline.client.transport import AsyncTransport, Transport
from relayline.contracts.files.file_views import FileView

_FILES = "/v1/files"
PIECE_BYTES = 256 * 1024
TIMEOUT_S = 120.0
"""The longest silence while a file goes up or comes down."""


def _upload(kind: str | None, size: int) -> dict[str, str]:
    """Headers of an upload; by the length a file that is too large is refused before it is sent."""
    return ({"Content-Type": kind} if kind else {}) | {"Content-Length": str(size)}


def _path(file_id: str) -> str:
    return f"{_FILES}/{quote(file_id, safe='')}"


def _source(source: Path | bytes, name: str | None) -> tuple[str, int]:
    """The name that the file gets, and its size.

    Raises:
        InvalidArgument: there is no such file.
    """
    if isinstance(source, bytes):
        return name or "file", len(source)
    try:
        return name or source.name, source.stat().st_size
    except OSError as error:
        raise InvalidArgument(f"{source} can't be read: {error.strerror}") from error


def _opened(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except OSError as error:
        raise InvalidArgument(f"{source} can't be read: {error.strerror}") from error


_TIMEOUT = httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)


def _post(
    http: httpx.Client | httpx.AsyncClient,
    name: str,
    headers: Mapping[str, str],
    content: bytes | Iterator[bytes] | AsyncIterator[bytes],
) -> httpx.Request:
    """The request that uploads this content."""
    params = {"name": name}
    return http.build_request(
        "POST", _FILES, params=params, content=content, headers=headers, timeout=_TIMEOUT
    )


def _uploaded(base_url: str, answer: httpx.Response) -> FileView:
    """The file that was uploaded; raises what the server refuses."""
    if answer.is_error:
        raise error_of(base_url, answer)
    return FileView.model_validate_json(answer.content)


class Files:
    """The files of a client's tenant: `client.files`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def upload(
        self, source: Path | bytes, *, name: str | None = None, content_type: str | None = None
    ) -> FileView:
        """Upload a file; name it in a part within 24 hours, from then on it lives with the run.

        Args:
            source: A path, which is read piece by piece, or the bytes.
            name: By default that of the path.
            content_type: By default what the bytes say.

        Raises:
            InvalidArgument: the path can't be read.
            InvalidRequest: it is too large, empty, or not of that type.
        """
        how, http = self._transport.options, self._transport.http
        shown, size = _source(source, name)
        content = source if isinstance(source, bytes) else _pieces(source)
        try:
            answer = http.send(_post(http, shown, _upload(content_type, size), content))
        except httpx.HTTPError as error:
            raise no_answer(how.base_url, error) from error
        return _uploaded(how.base_url, answer)

    def download(self, file_id: str, to: Path | None = None) -> bytes:
        """The bytes of a file; with `to`, they are written there, and none returned.

        Raises:
            NotFound: there is no such file.
        """
        how, http = self._transport.options, self._transport.http
        try:
            request = http.build_request("GET", _path(file_id), timeout=_TIMEOUT)
            answer = self._transport.open(request)
            try:
                if answer.is_error:
                    raise error_of(how.base_url, answer)
                if to is None:
                    return answer.read()
                with to.open("wb") as target:
                    for piece in answer.iter_bytes():
                        target.write(piece)
            finally:
                answer.close()
        except httpx.HTTPError as error:
            raise no_answer(how.base_url, error) from error
        return b""


class AsyncFiles:
    """The same, asynchronous."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def upload(
        self, source: Path | bytes, *, name: str | None = None, content_type: str | None = None
    ) -> FileView:
        """As `Files.upload`."""
        how, http = self._transport.options, self._transport.http
        shown, size = await asyncio.to_thread(_source, source, name)
        content = source if isinstance(source, bytes) else _async_pieces(source)
        try:
            answer = await http.send(_post(http, shown, _upload(content_type, size), content))
        except httpx.HTTPError as error:
            raise no_answer(how.base_url, error) from error
        return _uploaded(how.base_url, answer)

    async def download(self, file_id: str, to: Path | None = None) -> bytes:
        """As `Files.download`."""
        how, http = self._transport.options, self._transport.http
        try:
            request = http.build_request("GET", _path(file_id), timeout=_TIMEOUT)
            answer = await self._transport.open(request)
            try:
                if answer.is_error:
                    raise error_of(how.base_url, answer)
                if to is None:
                    return await answer.aread()
                target = await asyncio.to_thread(to.open, "wb")
                try:
                    async for piece in answer.aiter_bytes():
                        await asyncio.to_thread(target.write, piece)
                finally:
                    await asyncio.to_thread(target.close)
            finally:
                await answer.aclose()
        except httpx.HTTPError as error:
            raise no_answer(how.base_url, error) from error
        return b""


def _pieces(source: Path) -> Iterator[bytes]:
    with _opened(source) as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


async def _async_pieces(source: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(_opened, source)
    try:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
    finally:
        await asyncio.to_thread(file.close)
