"""`make demo`: a run on this repository's files, with its worker killed in the middle."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
RELAYLINE = Path(sys.executable).with_name("relayline")
INPUT = (
    "Read README.md and docs/decisions/0002-journal-beside-history.md, work out 24*60+7, "
    "and say what you found."
)
START_S = 60
RUN_S = 60
STOP_S = 30
ANSWER_DELTAS = 20
"""Deltas of the answer before the worker is killed."""


def say(text: str) -> None:
    """Print a line of the demo itself."""
    sys.stdout.write(f"\n▌ {text}\n")
    sys.stdout.flush()


async def main() -> int:
    """Play the demo; returns 0 if the run survived the kill and everything stopped."""
    with tempfile.TemporaryDirectory(prefix="relayline-demo-") as folder:
        data_dir = Path(folder)
        say("starting Temporal, a worker and the API")
        dev = await start_dev(data_dir)
        try:
            state = await started(dev, data_dir)
            say(f"API {state['api']['url']} · Temporal Web UI {state['temporal']['ui']}")
            survived = await asyncio.wait_for(play(state), RUN_S)
        finally:
            if dev.returncode is None:
                dev.terminate()
            code = await asyncio.wait_for(dev.wait(), STOP_S)
    say("everything is stopped")
    return 0 if survived and code == 0 else 1


async def start_dev(data_dir: Path) -> asyncio.subprocess.Process:
    """`relayline dev` on free ports."""
    command = (RELAYLINE, "dev", "--data-dir", data_dir)
    ports = ("--api-port", "0", "--temporal-port", "0", "--ui-port", "0")
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(*command, *ports, cwd=ROOT, stdout=quiet)


async def started(dev: asyncio.subprocess.Process, data_dir: Path) -> dict[str, Any]:
    """The content of `dev.json`, once everything answers."""
    async with asyncio.timeout(START_S):
        while True:
            if dev.returncode is not None:
                raise RuntimeError("relayline dev did not start; its error is above")
            try:
                state: dict[str, Any] = json.loads((data_dir / "dev.json").read_text())
                async with httpx.AsyncClient(base_url=state["api"]["url"]) as api:
                    if (await api.get("/readyz")).status_code == httpx.codes.OK:
                        return state
            except (OSError, ValueError, httpx.HTTPError):
                pass  # not yet
            await asyncio.sleep(0.1)


async def play(state: dict[str, Any]) -> bool:
    """Start a run, watch it, kill its worker; True if the run still completed."""
    url = state["api"]["url"]
    async with httpx.AsyncClient(base_url=url, timeout=RUN_S) as api:
        body = {"agent": "assistant", "input": INPUT}
        run = (await api.post("/v1/runs", json=body)).raise_for_status().json()
        run_id = run["run_id"]
        say(f"run {run_id}: {INPUT}")
        watcher = await asyncio.create_subprocess_exec(RELAYLINE, "watch", run_id, "--url", url)
        await answer_begins(api, run_id)
        pid = state["workers"][0]["pid"]
        os.kill(pid, signal.SIGKILL)
        say(f"kill -9 {pid}: the worker died in the middle of its answer")
        watched = await watcher.wait()
        ended = (await api.get(f"/v1/runs/{run_id}", params={"wait": 30})).json()
    say(f"the run is {ended['status']}: {ended['usage']}")
    for name, link in run["links"].items():
        say(f"{name}: {link if link.startswith('http') else url + link}")
    return watched == 0 and ended["status"] == "completed"


async def answer_begins(api: httpx.AsyncClient, run_id: str) -> None:
    """Return when the model has called its tools and streams its answer."""
    headers = {"Accept": "text/event-stream"}
    async with api.stream("GET", f"/v1/runs/{run_id}/events", headers=headers) as stream:
        tools = words = 0
        async for line in stream.aiter_lines():
            tools += line == "event: tool.completed"
            words += tools > 0 and line == "event: message.delta"
            if words >= ANSWER_DELTAS:
                return


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
