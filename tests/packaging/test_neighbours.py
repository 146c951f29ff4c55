"""Relayline shares an environment and a project with modules of any name but its own.

Beside it stand LlamaIndex's `workflows`, repacked from the environment of the tests, and a
`supervision`, a stand-in: the real one requires 250 MB of others. The project has modules with the
names that Relayline's had when they stood at the top level.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest

from relayline.dev.ports import free_port
from relayline.runtime.children.child import leashed
from tests.packaging.venvs import (
    CLEAN,
    Venv,
    installed_files,
    required,
    required_by,
    write_wheel,
)

LLAMA_INDEX = "llama-index-workflows"
READY_S = 120
OWN = ("activities", "api", "cli", "settings", "worker", "workflows")
CATALOG = f'''\
import {", ".join(OWN)}
from relayline import Agent, tool

@tool
def owners() -> list[str]:
    """Say whose modules are imported here."""
    return [module.OWNER for module in ({", ".join(OWN)})]

clerk = Agent("clerk", tools=[owners])
'''


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Wheels of others, with `workflows`, `llama_agents` and `supervision` at their tops."""
    folder = tmp_path_factory.mktemp("neighbours")
    workflows = installed_files(LLAMA_INDEX)
    assert "workflows/__init__.py" in workflows
    return [
        write_wheel(folder, LLAMA_INDEX, metadata.version(LLAMA_INDEX), workflows),
        write_wheel(folder, "supervision", "0.31.2", {"supervision/__init__.py": b"OWNER = 1\n"}),
    ]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a catalog, `catalog`, and modules of its own around it."""
    folder = tmp_path / "project"
    for name in OWN:
        packages = name in {"activities", "api", "workflows"}
        file = folder / name / "__init__.py" if packages else folder / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"OWNER = 'the project, {name}'\n")
    (folder / "catalog").mkdir()
    (folder / "catalog" / "__init__.py").write_text(CATALOG)
    return folder


@asynccontextmanager
async def dev(venv: Venv, project: Path, data_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    """`relayline dev` in the project, with its catalog; a client of its API."""
    ports = ("--api-port", "--temporal-port", "--ui-port")
    chosen = [text for option in ports for text in (option, str(free_port()))]
    command = (str(venv.script("relayline")), "dev", "--data-dir", str(data_dir), *chosen)
    process = await asyncio.create_subprocess_exec(
        *leashed(command),
        cwd=project,
        env=CLEAN | {"RELAYLINE_CATALOG": "catalog"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_S):
            told = await process.stdout.readline()  # it is told when all of it answers
        assert told.startswith(b"Page "), told
        url = json.loads((data_dir / "dev.json").read_text())["api"]["url"]
        async with httpx.AsyncClient(base_url=url, timeout=40) as client:
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def result_of_the_tool(client: httpx.AsyncClient) -> Any:
    """What the project's tool returns in a run of the project's agent."""
    script = json.dumps({"rehearse": [{"call": "owners"}, {"say": "done"}]})
    accepted = await client.post("/v1/runs", json={"agent": "clerk", "input": script})
    assert accepted.status_code == 202, accepted.text
    path = f"/v1/runs/{accepted.json()['run_id']}"
    run = (await client.get(path, params={"wait": 30})).json()
    assert (run["status"], run["output"]) == ("completed", "done"), run
    events = (await client.get(f"{path}/events", params={"after": 0})).json()["events"]
    [completed] = [event for event in events if event["type"] == "tool.completed"]
    return json.loads(completed["data"]["output"])


def files(folder: Path) -> dict[Path, bytes]:
    """Every file and what is in it; what Python compiled is left out."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.mark.stack
@pytest.mark.timeout(120)  # an environment, three installations and a whole stack
@pytest.mark.parametrize("first", ["relayline", "its neighbours"])
async def test_each_has_its_own_modules_in_either_order(
    tmp_path: Path, wheel: Path, neighbours: list[Path], project: Path, first: str
) -> None:
    linked = required(wheel, "server") | required_by(LLAMA_INDEX)
    venv = Venv(tmp_path / "venv", linked)
    ours = f"relayline[server] @ {wheel.as_uri()}"
    for wanted in ([ours], neighbours) if first == "relayline" else (neighbours, [ours]):
        venv.install(*wanted)
    before, others = files(project), {*venv.site.iterdir()}

    async with dev(venv, project, tmp_path / "data") as client:
        assert await result_of_the_tool(client) == [f"the project, {name}" for name in OWN]

    whose = "import workflows, supervision; print(workflows.Workflow.__module__, supervision.OWNER)"
    assert venv.says(whose, tmp_path) == "workflows.workflow 1"
    venv.uninstall("relayline")
    assert files(project) == before
    assert {path.name for path in others - {*venv.site.iterdir()}} == {
        "relayline",
        f"relayline-{metadata.version('relayline')}.dist-info",
    }
    assert venv.says(whose, tmp_path) == "workflows.workflow 1"
