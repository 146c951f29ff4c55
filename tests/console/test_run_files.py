"""`--file` of `relayline run`, `redirect` and `fork`, as processes, against the API."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.api.conftest import api, api_temporal, journal, working
from tests.api.files.uploading import PDF, png
from tests.api.serving import Api, signals
from tests.api.test_forks import input_of

__all__ = ["api", "api_temporal", "journal", "working"]


async def relayline(*arguments: str) -> tuple[int, str, str]:
    """Exit status and output of the command line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relayline", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode or 0, out.decode(), error.decode()


@pytest.mark.slow
async def test_files_go_with_the_input(api: Api, api_temporal: Client, tmp_path: Path) -> None:
    picture, paper = tmp_path / "cat.png", tmp_path / "a.pdf"
    picture.write_bytes(png())
    paper.write_bytes(PDF)
    url = str(api.http.base_url)
    sent = ("run", "What is this?", "--url", url, "--json")
    files = ("--file", str(picture), "--file", str(paper))
    status, out, error = await relayline(*sent, *files, "--settings", "temperature=0")
    assert status == 0, error
    given = await input_of(api_temporal, json.loads(out)["run_id"])
    assert (given.input, given.agent.settings.temperature) == ("What is this?", 0)
    assert [(part.type, getattr(part, "name", "")) for part in given.parts] == [
        ("text", ""),
        ("image", "cat.png"),
        ("file", "a.pdf"),
    ]
    status, out, error = await relayline(*sent, "--file", str(tmp_path / "none"))
    assert (status, out) == (1, "")
    assert "can't be read" in error
    assert "Traceback" not in error


@pytest.mark.slow
@pytest.mark.usefixtures("working")
async def test_files_go_with_redirects_and_forks(
    api: Api, api_temporal: Client, tmp_path: Path
) -> None:
    picture, schema, url = tmp_path / "cat.png", tmp_path / "schema.json", str(api.http.base_url)
    picture.write_bytes(png())
    schema.write_text('{"type": "object"}')
    body = {"agent": "assistant", "input": '{"rehearse": [{"tokens": 5000, "every_ms": 20}]}'}
    run_id = (await api.http.post("/v1/runs", json=body)).json()["run_id"]
    file = ("--file", str(picture), "--url", url)
    status, out, error = await relayline("redirect", run_id, "look", *file)
    assert (status, "redirect applied" in out) == (0, True), error
    [(_, told)] = await signals(api_temporal, run_id)
    assert (told["message"], told["parts"][1]["name"]) == ("look", "cat.png")
    view = (await api.http.get(f"/v1/runs/{run_id}", params={"wait": 60}, timeout=90)).json()
    assert view["output"] == "Understood: look"
    settings = ("--settings", "temperature=0", "--settings", "reasoning_effort=low")
    how = ("--schema", str(schema), *settings, "--json")
    status, out, error = await relayline("fork", run_id, *file, *how)
    assert status == 0, error
    given = await input_of(api_temporal, json.loads(out)["run_id"])
    assert (given.input, [part.type for part in given.parts]) == ("[image]", ["image"])
    assert given.agent.output_schema == {"type": "object"}
    assert given.agent.settings.reasoning_effort == "low"
    assert given.past
    assert given.past.changed == {
        "output_schema": {"type": "object"},
        "settings": {"temperature": 0, "reasoning_effort": "low"},
    }
