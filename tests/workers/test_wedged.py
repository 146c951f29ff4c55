"""A tool that blocks for ever costs its own call, no other run, and its worker is replaced."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.dev_stack import DevStack
from tests.workers.wedging import MODULE

REPLACED_S = 40


def environment_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


@pytest.mark.stack
async def test_a_worker_whose_tools_are_blocked_for_ever_drains_and_is_replaced(
    tmp_path: Path,
) -> None:
    async with DevStack(tmp_path, RELAYLINE_CATALOG=MODULE) as stack:
        before = stack.state["workers"][0]["pid"]
        async with httpx.AsyncClient() as client:
            url = f"http://127.0.0.1:{environment_of(before)['RELAYLINE_WORKER_PORT']}/healthz"
            assert (await client.get(url)).json()["status"] == "ok"
        answer = await stack.submit({"tokens": 150, "every_ms": 30})
        blocked = await stack.submit({"call": "hog"}, {"say": "done"}, agent="wedging")
        assert (await stack.ended(blocked))["status"] == "completed"
        [failed] = [it for it in await stack.events(blocked) if it["type"] == "tool.failed"]
        assert failed["data"]["error_type"] == "tool-timed-out"
        assert (await stack.ended(answer))["status"] == "completed"
        kinds = {it["type"] for it in await stack.events(answer)}
        assert "attempt.superseded" not in kinds
        async with asyncio.timeout(REPLACED_S):
            while stack.state["workers"][0]["pid"] == before:
                await asyncio.sleep(0.1)
        slept = await stack.submit({"call": "sleep", "arguments": {"seconds": 0}}, {"say": "up"})
        assert (await stack.ended(slept))["output"] == "up"
        log = (tmp_path / "logs" / "worker-1.log").read_text()
        assert "an async tool blocks all others" in log
        assert "hog blocks all async tools" in log
        assert (
            f"worker-1 (pid {before}) ended with SIGTERM"
            in (tmp_path / "logs" / "dev.log").read_text()
        )
