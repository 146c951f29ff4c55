"""`relayline listen`: a receiver in the terminal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from relayline.console.listener import Listener
from relayline.outbound.signature import secret_of, signed
from tests.dev_stack import DevStack

SECRET = secret_of(b"s" * 32)
BODY = b'{"type":"run.queued","data":{"run_id":"run_1"}}'


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def listener(lines: list[str]) -> Iterator[Listener]:
    with Listener(0, lines.append) as made:
        made.secret = SECRET
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_what_is_signed_is_told_and_taken(listener: Listener, lines: list[str]) -> None:
    headers = signed([SECRET], "run_1.1", int(time.time()), BODY)
    assert httpx.post(listener.url, content=BODY, headers=headers).status_code == 204
    assert lines == ['verified run_1.1 run.queued {"run_id": "run_1"}']


@pytest.mark.parametrize("body", [BODY + b" ", b"[]", b"x", b'{"data": 1}'])
def test_what_is_not_a_signed_delivery_is_refused(
    listener: Listener, lines: list[str], body: bytes
) -> None:
    signs = BODY if body.startswith(BODY) else body
    headers = signed([SECRET], "run_1.1", int(time.time()), signs)
    assert httpx.post(listener.url, content=body, headers=headers).status_code == 401
    assert lines[0].startswith("refused: ")


def test_a_body_that_is_too_long_is_not_read(listener: Listener) -> None:
    answer = httpx.post(listener.url, content=b"x" * (1024 * 1024 + 1))
    assert answer.status_code == 413


def test_nothing_that_comes_controls_the_terminal(listener: Listener, lines: list[str]) -> None:
    body = b'{"type":"\\u001b[2J","data":{}}'
    headers = signed([SECRET], "run_1.1", int(time.time()), body)
    httpx.post(listener.url, content=body, headers=headers)
    assert "\x1b" not in lines[0]


async def test_the_command_registers_prints_and_leaves_nothing(stack: DevStack) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relayline", "listen", "--event", "run.completed"),
        env=os.environ | {"RELAYLINE_URL": stack.api_urls[0], "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    try:
        async with asyncio.timeout(60):
            said = (await process.stderr.readline()).decode()
            assert "listening on http://127.0.0.1:" in said
            run_id = await stack.submit({"say": "hello"})
            told = (await process.stdout.readline()).decode()
            assert told.startswith(f"verified {run_id}.")
            assert "run.completed" in told
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    left = (await stack.client.get("/v1/webhooks")).json()["webhooks"]
    assert not [it for it in left if it["url"] in said]
