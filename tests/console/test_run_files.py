"""`relayline run --file`, as a process, against the API."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.api.conftest import api, api_temporal, journal
from tests.api.files.uploading import PDF, png
from tests.api.serving import Api
from tests.api.test_forks import input_of

__all__ = ["api", "api_temporal", "journal"]


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
    status, out, error = await relayline(*sent, *files)
    assert status == 0, error
    given = await input_of(api_temporal, json.loads(out)["run_id"])
    assert given.input == "What is this?"
    assert [(part.type, getattr(part, "name", "")) for part in given.parts] == [
        ("text", ""),
        ("image", "cat.png"),
        ("file", "a.pdf"),
    ]
    status, out, error = await relayline(*sent, "--file", str(tmp_path / "none"))
    assert (status, out) == (1, "")
    assert "can't be read" in error
    assert "Traceback" not in error
