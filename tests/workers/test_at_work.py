"""A worker process says once where its work comes from, and an API process where it listens."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.console.test_cli import start

BOUND_S = 30
ALL = (
    "work=models,runs,tools "
    "task_queues=relayline,relayline-housekeeping,relayline-submissions,webhooks,"
    "models-local,models-openai,models-anthropic,models-google,models-ollama,models-compatible "
    "namespace=default"
)
BUILD = {"RELAYLINE_BUILD_ID": "v7"}
TOOLS_OF_BUILD = (
    "work=tools task_queues=relayline namespace=default build_id=v7 deployment=relayline "
    'new_runs="as `relayline deploy` says"'
)


async def said(process: asyncio.subprocess.Process, text: str) -> str:
    """The first line of its log with that text; the process is ended then."""
    assert process.stderr is not None
    seen = []
    try:
        async with asyncio.timeout(BOUND_S):
            async for line in process.stderr:
                seen.append(line.decode())
                if text in seen[-1]:
                    return seen[-1].rstrip()
    finally:
        process.terminate()
        await process.communicate()
    raise AssertionError("".join(seen))


@pytest.mark.slow
async def test_a_worker_says_that_it_is_at_work_and_on_what(
    own_temporal: Client, tmp_path: Path
) -> None:
    env = {
        "TEMPORAL_ADDRESS": own_temporal.service_client.config.target_host,
        "RELAYLINE_DATA_DIR": str(tmp_path),
    }
    line = await said(await start("worker", env=env), "at work")
    assert re.fullmatch(rf"\S+\+00:00 INFO relayline.worker: at work {ALL}", line)
    line = await said(await start("worker", "--queues", "tools", env=env | BUILD), "at work")
    assert line.endswith(f" at work {TOOLS_OF_BUILD}")
    line = await said(await start("worker", env=env), "fairness")
    assert line.endswith("fairness of Temporal is unknown: `relayline doctor` tests it")


@pytest.mark.slow
async def test_an_api_process_says_where_it_listens(tmp_path: Path) -> None:
    env = {"TEMPORAL_ADDRESS": "127.0.0.1:1", "RELAYLINE_API_PORT": "0"}
    process = await start("api", env=env | {"RELAYLINE_DATA_DIR": str(tmp_path)})
    line = await said(process, "listening")
    assert re.fullmatch(
        r"\S+\+00:00 INFO relayline.api.app: listening host=127.0.0.1 port=[1-9]\d+", line
    )
