"""What models get of files, over real HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from relayline.activities.files.fetching import fetch_with
from relayline.activities.files.file_budget import FileBudget
from relayline.activities.files.file_loading import COPIES, FileLoader, fetched_id
from relayline.activities.files.with_files import with_files
from relayline.activities.model.port import Prompt, ProviderError
from relayline.activities.model.providers.factory import ProviderConfig, Providers, provider_for
from relayline.contracts.files.parts import FilePart, Part, TextPart
from relayline.contracts.messages import AssistantMessage, ToolCall, ToolMessage, UserMessage
from relayline.journal.files.file_port import NewFile
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.activities.model.providers.asking import ask, text_of
from tests.activities.model.providers.stand_in import StandIn, serving
from tests.activities.tool.toolbox.conftest import Site, site
from tests.api.files.uploading import png
from tests.journal.files.filing import fresh_file_id

__all__ = ["site"]
RUN = "run_0123456789abcdef"
MODEL = "compatible:text"
ROOM = 64 * 1024 * 1024


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path / "journal.db")
    yield journal
    await journal.close()


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    async with serving() as server:
        yield server


@pytest.fixture
async def providers(stand_in: StandIn) -> AsyncIterator[Providers]:
    config = ProviderConfig(stand_in.url, local_base_url=stand_in.url)
    async with aclosing(provider_for(config)) as made:
        yield made


async def named(storage: SqliteJournal, data: bytes, kind: str, name: str = "a") -> FilePart:
    """A part whose file the run names."""
    writer = await storage.files.begin(NewFile(fresh_file_id(), "default", name))
    await writer.write(data)
    file = await writer.finish(kind)
    await storage.files.name(EVERY, RUN, [file.file_id])
    return FilePart(
        type="image" if kind.startswith("image/") else "file",
        file_id=file.file_id,
        name=name,
        media_type=kind,
    )


def prompt(*parts: Part, model: str = MODEL) -> Prompt:
    said = UserMessage(text="x", parts=parts)
    return Prompt(model, "Be brief.", (said,), (), 1, run_id=RUN)


async def told(storage: SqliteJournal, providers: Providers, asked: Prompt, **loading: Any) -> str:
    """Ask the model; its answer."""
    loader = FileLoader(storage.files, loading.pop("budget", FileBudget(ROOM)), **loading)
    return text_of(await ask(with_files(providers, loader)(asked.model), asked))


async def test_a_model_gets_texts_and_pictures_in_their_order(
    storage: SqliteJournal, providers: Providers, stand_in: StandIn
) -> None:
    picture = await named(storage, png(), "image/png")
    table = await named(storage, "a,ä\n".encode(), "text/csv", "t.csv")
    asked = prompt(TextPart(text="What is"), picture, table, TextPart(text="?"))
    assert await told(storage, providers, asked) == "Hello, you"
    content = stand_in.requests[0]["messages"][-1]["content"]
    assert [it["type"] for it in content] == ["text", "image_url", "text", "text"]
    url = content[1]["image_url"]["url"]
    assert url == f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    assert content[2]["text"] == "[file t.csv]\na,ä\n"


async def test_what_a_tool_returned_is_shown_behind_all_results(
    storage: SqliteJournal, providers: Providers, stand_in: StandIn
) -> None:
    picture = await named(storage, png(), "image/png")
    calls = tuple(ToolCall(call_id=f"c{it}", name="look") for it in (1, 2))
    said = (
        UserMessage(text="look"),
        AssistantMessage(text="", tool_calls=calls),
        ToolMessage(call_id="c1", name="look", output="one", files=(picture,)),
        ToolMessage(call_id="c2", name="look", output="two"),
    )
    asked = Prompt(MODEL, "", said, (), 1, run_id=RUN)
    await told(storage, providers, asked)
    roles = [it["role"] for it in stand_in.requests[0]["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "user"]
    content = stand_in.requests[0]["messages"][-1]["content"]
    assert [it["type"] for it in content] == ["text", "image_url"]


async def test_a_file_that_the_run_does_not_name_is_not_shown(
    storage: SqliteJournal, providers: Providers, stand_in: StandIn
) -> None:
    """Somebody may have written its id into a signal in Temporal's Web UI."""
    writer = await storage.files.begin(NewFile(fresh_file_id(), "default", "x"))
    await writer.write(b"secret")
    file = await writer.finish("text/plain")
    part = FilePart(type="file", file_id=file.file_id, name="x", media_type="text/plain")
    await told(storage, providers, prompt(part))
    assert "(not there any more)" in str(stand_in.requests[0])
    assert "secret" not in str(stand_in.requests[0])


async def test_a_model_is_told_of_what_it_does_not_take(
    storage: SqliteJournal, providers: Providers, stand_in: StandIn
) -> None:
    part = await named(storage, b"%PDF-1.7", "application/pdf", "a.pdf")
    await told(storage, providers, prompt(part))
    said = "[file a.pdf] (application/pdf, which this model does not take)"
    assert said in str(stand_in.requests[0]["messages"])


async def test_a_url_is_fetched_once_for_a_run(
    storage: SqliteJournal, providers: Providers, stand_in: StandIn, site: Site
) -> None:
    site.says("/a.png", png(), "image/png")
    url = f"http://localhost:{site.port}/a.png"
    fetch = fetch_with([f"localhost:{site.port}"], 1_000_000)
    for _ in range(2):
        asked = prompt(FilePart(type="image", url=url))
        await told(storage, providers, asked, fetch=fetch, max_bytes=1_000_000)
    assert len(site.seen) == 1
    for request in stand_in.requests:
        assert base64.b64encode(png()).decode() in str(request)
    assert await storage.files.find_named(RUN, fetched_id(RUN, url))


@pytest.mark.parametrize(
    ("status", "size", "listed", "retryable", "said"),
    [
        (200, 10, False, False, "RELAYLINE_FETCH_ALLOW"),
        (404, 10, True, False, "answered 404"),
        (503, 10, True, True, "answered 503"),
        (200, 2_000_000, True, False, "larger than 1000000 bytes"),
    ],
)
async def test_a_url_that_can_not_be_fetched_fails_the_call(  # noqa: PLR0917  cases
    storage: SqliteJournal,
    providers: Providers,
    site: Site,
    status: int,
    size: int,
    listed: bool,
    retryable: bool,
    said: str,
) -> None:
    site.says("/a", bytes(size), "image/png", status)
    url = f"http://localhost:{site.port}/a"
    fetch = fetch_with([f"localhost:{site.port}"] if listed else [], 1_000_000)
    asked = prompt(FilePart(type="image", url=url))
    with pytest.raises(ProviderError, match=said) as caught:
        await told(storage, providers, asked, fetch=fetch, max_bytes=1_000_000)
    assert caught.value.retryable is retryable
    assert await storage.files.held(EVERY) == 0


async def test_calls_wait_for_memory_and_one_that_can_never_have_it_fails(
    storage: SqliteJournal, providers: Providers, stand_in: StandIn
) -> None:
    size = 1_000_000
    part = await named(storage, b"x" * size, "text/plain")
    budget = FileBudget(COPIES * size)
    async with budget.held(1):
        waiting = asyncio.create_task(told(storage, providers, prompt(part), budget=budget))
        await asyncio.sleep(0.1)
        assert not stand_in.requests
    async with asyncio.timeout(60):
        assert await waiting == "Hello, you"
    assert budget.lent == 0
    with pytest.raises(ProviderError, match="RELAYLINE_FILE_MEMORY_BYTES") as caught:
        await told(storage, providers, prompt(part), budget=FileBudget(size))
    assert not caught.value.retryable
