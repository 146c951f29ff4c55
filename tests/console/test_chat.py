"""`relayline chat`: several turns on one connection, one of them interrupted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from tests.api.conftest import api, api_temporal, journal, working
from tests.api.serving import Api

__all__ = ["api", "api_temporal", "journal", "working"]
WAIT_S = 60


@pytest.mark.slow
@pytest.mark.usefixtures("working")
async def test_lines_are_answered_and_ctrl_c_cancels_an_answer(api: Api) -> None:
    chat = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relayline", "chat", "--close"),
        env=os.environ | {"RELAYLINE_URL": str(api.http.base_url), "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert chat.stdin
    assert chat.stdout
    for line, answer in (
        ('{"rehearse": [{"say": "first answer"}]}', b"first answer"),
        ("second", b"Understood: second"),
        ('{"rehearse": [{"tokens": 2000, "every_ms": 20}]}', b"w20 "),
    ):
        chat.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(WAIT_S):
            await chat.stdout.readuntil(answer)
    chat.send_signal(signal.SIGINT)
    async with asyncio.timeout(WAIT_S):
        await chat.stdout.readuntil(b"[the turn cancelled]")
    chat.stdin.write(b"third\n")
    async with asyncio.timeout(WAIT_S):
        await chat.stdout.readuntil(b"Understood: third")
    chat.stdin.close()
    async with asyncio.timeout(WAIT_S):
        assert await chat.wait() == 0
    [run] = (await api.http.get("/v1/runs", params={"conversation": True, "limit": 1})).json()[
        "runs"
    ]
    view = (await api.http.get(f"/v1/runs/{run['run_id']}", params={"wait": 30})).json()
    assert (view["turn"], view["status"]) == (4, "completed")
