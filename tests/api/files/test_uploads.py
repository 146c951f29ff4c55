"""Files of clients: uploaded and given back, as attachments that no browser shows."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from relayline.contracts.access.quotas import Quotas
from relayline.contracts.principals import Scope
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from relayline.runtime.settings import Settings
from tests.api.auth.keyed import bearer, keyed, new_key, refused
from tests.api.files.uploading import GIF, JPEG, PDF, WEBP, png, upload, uploaded
from tests.api.serving import Api, serving

LARGE = 20 * 1024 * 1024
MORE_MEMORY = 8 * 1024 * 1024
OCTETS = "application/octet-stream"


async def test_a_file_comes_back_as_it_went_up(api: Api) -> None:
    data = png() + os.urandom(600_000)
    answer = await upload(api, data, "image/png", name="naïve 🙂.png")
    assert answer.status_code == 201
    file = answer.json()
    assert answer.headers["location"] == f"/v1/files/{file['file_id']}"
    left = datetime.fromisoformat(file.pop("expires_at")) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    assert file == {
        "file_id": file["file_id"],
        "name": "naïve 🙂.png",
        "type": "image/png",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    back = await api.http.get(answer.headers["location"])
    assert back.content == data
    assert back.headers["content-type"] == "image/png"
    assert back.headers["content-length"] == str(len(data))
    assert back.headers["x-content-type-options"] == "nosniff"
    assert back.headers["content-security-policy"] == "default-src 'none'; sandbox"
    named = "attachment; filename*=UTF-8''na%C3%AFve%20%F0%9F%99%82.png"
    assert back.headers["content-disposition"] == named
    head = await api.http.head(answer.headers["location"])
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(data))


@pytest.mark.parametrize(
    ("data", "claimed", "found"),
    [
        (png(), None, "image/png"),
        (png(), OCTETS, "image/png"),
        (png(), "application/x-www-form-urlencoded", "image/png"),
        (JPEG, "image/jpeg", "image/jpeg"),
        (GIF, "IMAGE/GIF; x=y", "image/gif"),
        (WEBP, None, "image/webp"),
        (PDF, "application/pdf", "application/pdf"),
        (b"hello", None, "text/plain"),
        ("ä".encode() * 5000, None, "text/plain"),
        (b"a,b\n1,2\n", "text/csv", "text/csv"),
        (b'{"a": 1}', "application/json; charset=utf-8", "application/json"),
        (b"<html><script>", "text/html", "text/html"),
        (b"\0\1\2", "text/plain", OCTETS),
        (b"PK\3\4" + bytes(40), "application/zip", OCTETS),
        (b"hello", "application/x-own", OCTETS),
    ],
)
async def test_the_bytes_say_what_a_file_is(
    api: Api, data: bytes, claimed: str | None, found: str
) -> None:
    answer = await upload(api, data, claimed)
    assert (answer.status_code, answer.json()["type"]) == (201, found)


@pytest.mark.parametrize(
    ("data", "claimed", "slug"),
    [
        (b"hello", "image/png", "file-type"),
        (png(), "image/jpeg", "file-type"),
        (png(), "text/plain", "file-type"),
        (PDF, "image/png", "file-type"),
        (b"hello", "image", "invalid-field"),
        (b"hello", "text/plain/x", "invalid-field"),
        (b"", "text/plain", "invalid-field"),
        (png() + bytes(300_000), "text/plain", "file-type"),
    ],
)
async def test_a_file_that_lies_about_its_type_is_refused_and_nothing_of_it_stays(
    api: Api, data: bytes, claimed: str, slug: str
) -> None:
    held = await api.journal.files.held(EVERY)
    answer = await upload(api, data, claimed)
    assert refused(answer) == (422, slug), answer.text
    assert answer.json()["field"] in {"Content-Type", "body"}
    assert await api.journal.files.held(EVERY) == held


@pytest.mark.parametrize("name", ["a/b", "..\\x", "a\nb", "", "x" * 201])
async def test_a_name_is_no_path(api: Api, name: str) -> None:
    answer = await upload(api, b"x", name=name)
    assert (*refused(answer), answer.json()["field"]) == (422, "invalid-field", "name")


async def test_the_limit_of_other_bodies_is_not_that_of_files(
    api_temporal: Client, journal: SqliteJournal
) -> None:
    settings = Settings(max_file_bytes=2_000_000)
    async with serving(settings, journal, api_temporal) as served:
        assert (await upload(served, bytes(2_000_000))).status_code == 201
        held = await journal.files.held(EVERY)

        async def unannounced() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield bytes(1_000_000)

        for body in (bytes(2_000_001), unannounced()):
            answer = await served.http.post("/v1/files", content=body)
            assert (*refused(answer), answer.json()["limit"]) == (413, "too-large", 2_000_000)
        assert (await served.http.post("/v1/runs", content=bytes(2_000_000))).status_code == 413
        assert await journal.files.held(EVERY) == held


async def test_files_are_their_tenants_alone(api_temporal: Client, journal: SqliteJournal) -> None:
    async with serving(keyed(), journal, api_temporal) as served:
        owner = bearer(await new_key(journal, "t-files"))
        reader = bearer(await new_key(journal, "t-files", Scope.RUNS_READ))
        other = bearer(await new_key(journal, "t-others"))
        url = f"/v1/files/{await uploaded(served, png(), headers=owner)}"
        assert (await served.http.get(url, headers=reader)).content == png()
        assert refused(await served.http.get(url, headers=other)) == (404, "unknown-file")
        assert refused(await served.http.get(url)) == (401, "unauthenticated")
        answer = await upload(served, png(), headers=reader)
        assert (*refused(answer), answer.json()["scope"]) == (403, "forbidden", "runs:write")


async def test_a_tenant_has_no_more_bytes_of_files_than_its_quota(
    api_temporal: Client, journal: SqliteJournal
) -> None:
    async with serving(keyed(), journal, api_temporal) as served:
        headers = bearer(await new_key(journal, "t-bytes"))
        await journal.quotas.set("t-bytes", Quotas(file_bytes=1_000_000), 1, "root")
        await uploaded(served, bytes(600_000), headers=headers)
        answer = await upload(served, bytes(400_001), headers=headers)
        assert refused(answer) == (429, "quota-exceeded")
        told = {name: answer.json()[name] for name in ("quota", "limit", "resets_at")}
        assert told == {"quota": "file_bytes", "limit": 1_000_000, "resets_at": None}
        await uploaded(served, bytes(400_000), headers=headers)
        assert await journal.files.held("t-bytes") == 1_000_000


async def test_an_upload_is_in_the_audit_log(api_temporal: Client, journal: SqliteJournal) -> None:
    async with serving(keyed(), journal, api_temporal) as served:
        headers = bearer(await new_key(journal, "t-audit-files"))
        file_id = await uploaded(served, png(), headers=headers)
        await journal.audit.seal(500)
        rows = await served.http.get("/v1/audit", headers=headers)
        [row] = [it for it in rows.json()["items"] if it["action"] == "file.upload"]
        assert (row["target"], row["outcome"]) == (file_id, "accepted")


async def test_an_unknown_file_is_404(api: Api) -> None:
    for file_id in ("file_0", "file_" + "0" * 32, "x" * 500, "..%2f..%2fjournal.db"):
        assert (await api.http.get(f"/v1/files/{file_id}")).status_code == 404


async def test_a_client_that_leaves_leaves_nothing(api: Api) -> None:
    held = await api.journal.files.held(EVERY)
    _, writer = await asyncio.open_connection(api.host, api.port)
    head = f"POST /v1/files HTTP/1.1\r\nHost: {api.host}\r\nContent-Length: 9000000\r\n\r\n"
    writer.write(head.encode() + bytes(1_000_000))
    await writer.drain()
    writer.close()
    async with asyncio.timeout(30):
        while await api.journal.files.sweep(10) or await api.journal.files.held(EVERY) != held:
            await asyncio.sleep(0.05)


async def test_up_and_down_take_little_memory(api: Api) -> None:
    """The client is in this process, too, and also holds only pieces."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(LARGE // 65536):
            yield bytes(65536)

    await uploaded(api, b"the first one loads modules")
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        answer = await api.http.post("/v1/files", content=body(), timeout=120)
        assert answer.json()["size"] == LARGE
        url, size = answer.headers["location"], 0
        async with api.http.stream("GET", url, timeout=120) as back:
            async for data in back.aiter_bytes():
                size += len(data)
        assert size == LARGE
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < MORE_MEMORY


async def test_the_limits_are_told_before_an_upload(api: Api) -> None:
    answer = await api.http.get("/v1/files/limits", params={"model": "ollama:any"})
    assert answer.json() == {
        "max_bytes": 32 * 1024 * 1024,
        "max_text_bytes": 1024 * 1024,
        "max_parts": 32,
        "types": ["image/jpeg", "image/png", "image/webp"],
    }
    unknown = await api.http.get("/v1/files/limits", params={"model": "no such model"})
    assert unknown.json()["types"] == []
