"""Pictures that tools return: kept as files of the run, and named in the call's end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relayline import Image
from relayline.activities.files.tool_images import ImageKeeper
from relayline.catalog.images import MAX_IMAGE_BYTES, MAX_IMAGES
from relayline.catalog.tools import tool
from relayline.contracts.events import ToolCompleted, ToolFailed
from relayline.contracts.messages import ToolMessage
from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.projections.transcript import transcript
from tests.activities.tool.conftest import Bench
from tests.api.files.uploading import PDF, png
from tests.journal.files.filing import read

CAT, DOG = Image(png(1), "cat.png"), Image(png(2), "dog.png")


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path / "pictures.db")
    yield journal
    await journal.close()


async def end_of(storage: SqliteJournal, result: Any, asynchronous: bool = False) -> Any:
    """How the call of a tool ends that returns this."""

    @tool
    def look() -> object:
        return result

    @tool(name="look")
    async def look_later() -> object:
        return result

    bench = Bench(storage)
    await bench.plan("look", {})
    made = look_later if asynchronous else look
    try:
        await bench.call(made, images=ImageKeeper(storage.files))
    finally:
        end = await bench.result()
    for file in end.files:
        stored = await storage.files.find_named(bench.run_id, file.file_id)
        assert stored
        assert (await read(storage, stored))[:4] == b"\x89PNG"
    results = [it for it in transcript(await bench.events("")) if isinstance(it, ToolMessage)]
    assert end.files in {it.files for it in results}
    return end


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("result", "output", "names"),
    [
        (CAT, "[image cat.png]", ["cat.png"]),
        (["a cat", CAT, "a dog", DOG], None, ["cat.png", "dog.png"]),
        ([{"n": 1}, CAT], '[{"n":1},"[image cat.png]"]', ["cat.png"]),
        ("no picture", "no picture", []),
    ],
)
async def test_pictures_are_kept_and_named_in_the_result(
    storage: SqliteJournal,
    result: Any,
    output: str | None,
    names: list[str],
    asynchronous: bool,
) -> None:
    end = await end_of(storage, result, asynchronous)
    assert isinstance(end, ToolCompleted)
    assert end.output == (output or "a cat\n[image cat.png]\na dog\n[image dog.png]")
    assert [file.name for file in end.files] == names
    assert all(file.media_type == "image/png" and file.size for file in end.files)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (Image(PDF, "a.pdf"), "'a.pdf' is application/pdf, not PNG"),
        (Image(png() + bytes(MAX_IMAGE_BYTES), "big"), "at most 8388608 are taken"),
        ([CAT] * (MAX_IMAGES + 1), "returned 9 images, at most 8"),
    ],
)
async def test_what_is_no_picture_or_too_much_fails_the_call(
    storage: SqliteJournal, result: Any, said: str
) -> None:
    bench = Bench(storage)

    @tool
    def look() -> object:
        return result

    await bench.plan("look", {})
    with pytest.raises(Exception, match=said):
        await bench.call(look, images=ImageKeeper(storage.files))
    end = await bench.result()
    assert isinstance(end, ToolFailed)
    assert said in end.error


async def test_a_storage_that_is_away_for_a_while_is_asked_again(
    storage: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayline.activities.files.tool_images._PAUSE_S", 0.01)
    begin, failures = storage.files.begin, [JournalUnavailable("away")] * 3

    async def flaky(new: Any) -> Any:
        if failures:
            raise failures.pop()
        return await begin(new)

    monkeypatch.setattr(storage.files, "begin", flaky)
    end = await end_of(storage, CAT)
    assert [file.name for file in end.files] == ["cat.png"]
