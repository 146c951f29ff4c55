"""Bodies that are framed or coded oddly: refused at once, never half heard."""

from __future__ import annotations

import json

import pytest

from relayline.api.serving.protocol import MAX_HEAD_BYTES
from tests.api.raw import Answer, ask, head
from tests.api.serving import Api

BODY = json.dumps({"agent": "nobody", "input": "x"}).encode()
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
JSON = "Content-Type: application/json"
CODED = "Transfer-Encoding: chunked"


async def posted(api: Api, body: bytes, *fields: str, version: str = "1.1") -> Answer:
    return await ask(api, head("POST", "/v1/runs", JSON, *fields, version=version) + body)


async def test_a_body_in_chunks_is_heard(lonely_api: Api) -> None:
    assert (await posted(lonely_api, CHUNKED, CODED)).problem == "unknown-agent"


@pytest.mark.parametrize("length", [1024 * 1024 + 1, 10**10])
async def test_a_body_that_says_that_it_is_too_large_is_not_awaited(
    lonely_api: Api, length: int
) -> None:
    answer = await posted(lonely_api, b"{", f"Content-Length: {length}")
    assert (answer.status, answer.problem) == (413, "too-large")
    document = json.loads(answer.body)
    assert (document["field"], document["limit"]) == ("body", 1024 * 1024)


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        (("Transfer-Encoding: gzip, chunked",), "1.1"),
        ((CODED, CODED), "1.1"),
        (("Transfer-Encoding: identity",), "1.1"),
        ((CODED, f"Content-Length: {len(CHUNKED)}"), "1.1"),
        ((CODED,), "1.0"),
    ],
)
async def test_a_body_that_others_may_read_differently_is_refused(
    lonely_api: Api, fields: tuple[str, ...], version: str
) -> None:
    answer = await posted(lonely_api, CHUNKED, *fields, version=version)
    assert (answer.status, answer.problem) == (400, "bad-request")


async def test_a_compressed_body_is_refused_by_its_head(lonely_api: Api) -> None:
    for path in ("/v1/runs", "/v1/runs/run_0123456789abcdef0123456789abcdef/pause"):
        fields = (JSON, "Content-Encoding: gzip", f"Content-Length: {len(BODY)}")
        answer = await ask(lonely_api, head("POST", path, *fields) + BODY)
        assert (answer.status, answer.problem) == (415, "unsupported-media-type")
        assert json.loads(answer.body)["field"] == "Content-Encoding"


@pytest.mark.parametrize(
    "body",
    [
        CHUNKED.removesuffix(b"\r\n") + b"X: " + b"y" * 2 * MAX_HEAD_BYTES + b"\r\n\r\n",
        CHUNKED.removesuffix(b"\r\n") + b"X: y\r\n" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"1;" + b"y" * 2 * MAX_HEAD_BYTES + b"\r\n{\r\n0\r\n\r\n",
    ],
    ids=["one trailer", "many trailers", "extension"],
)
async def test_what_stands_beside_the_chunks_is_bounded_like_a_head(
    lonely_api: Api, body: bytes
) -> None:
    answer = await posted(lonely_api, body, CODED)
    assert (answer.status, answer.problem) == (431, "head-too-large")


async def test_a_large_body_in_small_chunks_is_no_head(lonely_api: Api) -> None:
    text = json.dumps({"agent": "nobody", "input": "x" * 100_000}).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in text)
    answer = await posted(lonely_api, chunks + b"0\r\n\r\n", CODED)
    assert answer.problem == "unknown-agent"


@pytest.mark.parametrize("name", ["Idempotency-Key", "Last-Event-ID"])
async def test_a_header_given_twice_is_refused_rather_than_half_heard(
    lonely_api: Api, name: str
) -> None:
    answer = await posted(lonely_api, CHUNKED, CODED, f"{name}: 1", f"{name}: 2")
    assert (answer.status, answer.problem) == (422, "invalid-field")
    assert json.loads(answer.body)["field"] == name


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/runs", "GET, HEAD, POST"),
        ("DELETE", "/v1/runs/run_x/pause", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/v1/runs", "GET, HEAD, POST"),
    ],
)
async def test_a_wrong_method_is_told_all_methods_of_the_path(
    lonely_api: Api, method: str, path: str, allowed: str
) -> None:
    answer = await ask(lonely_api, head(method, path))
    assert (answer.status, answer.problem) == (405, "method-not-allowed")
    assert answer.headers["allow"] == allowed
