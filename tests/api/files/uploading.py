"""Files for tests, and their uploads."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import httpx

from tests.api.serving import Api

PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\n%%EOF\n"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"
GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00"
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00"


def png(shade: int = 0) -> bytes:
    """A picture of one dot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    dot = zlib.compress(bytes((0, shade)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", dot) + chunk(b"IEND", b"")


async def upload(
    api: Api, data: bytes, claimed: str | None = None, headers: Any = None, **query: str
) -> httpx.Response:
    sent = dict(headers or {}) | ({"Content-Type": claimed} if claimed else {})
    return await api.http.post("/v1/files", params=query, content=data, headers=sent)


async def uploaded(
    api: Api, data: bytes, claimed: str | None = None, headers: Any = None, **query: str
) -> str:
    """The id of a file."""
    answer = await upload(api, data, claimed, headers, **query)
    assert answer.status_code == 201, answer.text
    file_id: str = answer.json()["file_id"]
    return file_id
