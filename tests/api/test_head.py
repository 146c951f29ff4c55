"""HEAD answers as GET does, without a body."""

from __future__ import annotations

import asyncio

import pytest

from tests.api.raw import answered, ask, head
from tests.api.serving import Api, deltas, ended_run, run_id, started


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/v1/agents", "/docs", "/docs/swagger-ui.css", "/openapi.json", "/v1/no"],
)
async def test_head_has_the_status_and_headers_of_get(lonely_api: Api, path: str) -> None:
    told = await ask(lonely_api, head("HEAD", path))
    given = await ask(lonely_api, head("GET", path))
    assert told.status == given.status
    del told.headers["date"], given.headers["date"]
    assert told.headers == given.headers
    assert int(given.headers["content-length"]) == len(given.body)


async def test_head_of_a_run_and_of_what_can_only_be_posted(lonely_api: Api) -> None:
    run = await ended_run(lonely_api.journal)
    assert (await ask(lonely_api, head("HEAD", f"/v1/runs/{run}"))).status == 200
    assert (await ask(lonely_api, head("HEAD", f"/v1/runs/{run}/events"))).status == 200
    assert (await ask(lonely_api, head("HEAD", f"/v1/runs/{run}/pause"))).status == 405


async def test_head_of_an_open_stream_ends_and_leaves_the_connection_usable(
    lonely_api: Api,
) -> None:
    run = run_id()
    await lonely_api.journal.append(run, [started(), *deltas(3)])
    reader, writer = await asyncio.open_connection(lonely_api.host, lonely_api.port)
    asked = head("HEAD", f"/v1/runs/{run}/events", "Accept: text/event-stream")
    for _ in range(2):
        writer.write(asked)
        async with asyncio.timeout(5):
            answer = await answered(reader, to_head=True)
        assert answer.headers["content-type"].startswith("text/event-stream")
    writer.write(head("GET", "/healthz"))
    async with asyncio.timeout(5):
        assert (await answered(reader)).body.startswith(b'{"status":"ok"')
    writer.close()
    await lonely_api.quiet()


async def test_head_is_counted_as_head_under_its_route(lonely_api: Api) -> None:
    await ask(lonely_api, head("HEAD", f"/v1/runs/{await ended_run(lonely_api.journal)}"))
    counted = (await lonely_api.http.get("/metrics")).text
    labels = 'method="HEAD",route="/v1/runs/{run_id}",status="200"'
    assert f"relayline_http_requests_total{{{labels}}}" in counted
