"""Passwords and tokens in URLs stand in no message and in no log."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import aclosing

import pytest

from relayline.activities.model.port import ProviderError, UnknownModel
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.runtime.redaction import credentials_in, own_secrets
from tests.activities.model.providers.asking import ask, prompt
from tests.activities.model.providers.stand_in import StandIn

PASSWORD = "hunter2/secret"  # noqa: S105
TOKEN = "topsecrettoken"  # noqa: S105


def with_password(url: str) -> str:
    return url.replace("//", "//me:hunter2%2Fsecret@")


@pytest.mark.parametrize(
    "url", ["http://[nowhere", "localhost:8000/v1", "http://", "x", f"me:{PASSWORD}@host/v1"]
)
def test_base_url_that_is_none_is_told_and_not_quoted(url: str) -> None:
    with pytest.raises(UnknownModel, match="RELAYLINE_COMPATIBLE_BASE_URL to an http") as told:
        provider_for(ProviderConfig(compatible_base_url=url))("compatible:x")
    assert url not in str(told.value).replace("'compatible:x'", "")


@pytest.mark.parametrize("compatible", [True, False])
async def test_password_in_a_base_url_that_the_provider_echoes_is_cut_out(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, compatible: bool
) -> None:
    url = with_password(stand_in.url)
    config = ProviderConfig(compatible_base_url=url if compatible else "")
    if not compatible:
        monkeypatch.setenv("OLLAMA_BASE_URL", url)
    async with aclosing(provider_for(config)) as providers:
        model = "compatible:401" if compatible else "ollama:401"
        with pytest.raises(ProviderError) as caught:
            await ask(providers(model), prompt("hi"))
    [sent] = stand_in.keys
    assert sent.startswith("Basic ")
    assert sent.removeprefix("Basic ") not in str(caught.value)
    assert "[redacted]" in str(caught.value)


def test_the_credentials_of_a_url_are_its_password_in_every_form() -> None:
    assert credentials_in(with_password("http://h/v1")) == (
        "hunter2%2Fsecret",
        PASSWORD,
        "bWU6aHVudGVyMi9zZWNyZXQ=",
    )
    assert credentials_in("https://sometoken@h/v1@x")[:2] == ("sometoken", "sometoken")
    assert credentials_in("http://h/v1@x") == credentials_in("") == ()
    environment = {"SOME_BASE_URL": with_password("http://h"), "OTHER": "http://a:bcdefgh@h"}
    assert PASSWORD in own_secrets(environment)
    assert "bcdefgh" not in own_secrets(environment)


PROCESS = f"""
import logging
from relayline.activities.model.port import Prompt
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.activities.tool.toolbox.web import fetch_url_with
from relayline.runtime.process import run_process

async def serve(settings):
    logging.getLogger("ours").info("at work")
    model = provider_for(ProviderConfig(settings.compatible_base_url))("compatible:text")
    async for part in model.stream(Prompt("compatible:text", "Be brief.", (), (), 1)):
        pass
    where = settings.compatible_base_url.rpartition("@")[2]
    try:
        await fetch_url_with(["127.0.0.1"]).function(url=f"http://{{where}}/x?sig={TOKEN}")
    except Exception as error:
        logging.getLogger("ours").info(type(error).__name__)

run_process("tested", serve)
"""


@pytest.mark.slow
async def test_a_process_logs_no_url_of_what_it_asks_for(stand_in: StandIn) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROCESS,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "RELAYLINE_COMPATIBLE_BASE_URL": with_password(stand_in.url)},
    )
    _, logged = await process.communicate()
    assert process.returncode == 0, logged.decode()
    assert b"INFO ours: at work" in logged
    assert b"INFO ours: ToolError" in logged, "the page was asked for, and there is none"
    assert len(stand_in.requests) == 1
    assert b"hunter2" not in logged
    assert TOKEN.encode() not in logged
