"""Files, as both clients send them and name them, against the API itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.client import Client as Temporal

from relayline.client import InvalidArgument, InvalidRequest, NotFound, file_part, image_part
from tests.api.conftest import api, api_temporal, journal
from tests.api.files.uploading import PDF, png
from tests.api.serving import Api, signals, started
from tests.api.serving import said as heard
from tests.api.test_forks import input_of
from tests.client.both import Caller

__all__ = ["api", "api_temporal", "journal"]


class Seen(BaseModel):
    """What a picture shows."""

    animal: str


async def test_files_go_up_and_come_down(api: Api, both: Caller, tmp_path: Path) -> None:
    data = png() + os.urandom(700_000)
    source, target = tmp_path / "cät.png", tmp_path / "back"
    source.write_bytes(data)
    async with both.open(str(api.http.base_url)) as client:
        file = await both.call(client.files.upload, source)
        assert (file.name, file.type, file.size) == ("cät.png", "image/png", len(data))
        assert await both.call(client.files.download, file.file_id) == data
        assert await both.call(client.files.download, file.file_id, target) == b""
        assert target.read_bytes() == data
        named = await both.call(client.files.upload, PDF, name="a.pdf", content_type="")
        assert (named.name, named.type) == ("a.pdf", "application/pdf")


async def test_what_is_wrong_with_a_file_is_told(api: Api, both: Caller, tmp_path: Path) -> None:
    async with both.open(str(api.http.base_url)) as client:
        with pytest.raises(InvalidRequest, match="the bytes are") as caught:
            await both.call(client.files.upload, PDF, content_type="image/png")
        assert (caught.value.type, caught.value.field) == ("file-type", "Content-Type")
        with pytest.raises(InvalidArgument, match="can't be read"):
            await both.call(client.files.upload, tmp_path / "none")
        with pytest.raises(NotFound):
            await both.call(client.files.download, "file_0/../../runs")


async def test_parts_are_said_to_runs_and_conversations(
    api: Api, api_temporal: Temporal, both: Caller
) -> None:
    async with both.open(str(api.http.base_url)) as client:
        file = await both.call(client.files.upload, png(), name="cat.png")
        said = ["What is", image_part(file), "and", file_part("https://example.com/a.pdf")]
        run = await both.call(client.submit, "assistant", said, open=True)
        given = await input_of(api_temporal, run.id)
        assert given.input == "What is\n\nand"
        assert [part.type for part in given.parts] == ["text", "image", "text", "file"]
        await api.journal.append(run.id, [started(), heard("What is")])
        await both.call(run.message, [image_part(file.file_id)], command_id="m1")
        await both.call(run.redirect, ["Look:", image_part(file)], now=False, command_id="r1")
        (_, told), (_, redirected) = await signals(api_temporal, run.id)
        assert (told["content"], told["parts"][0]["name"]) == ("[image]", "cat.png")
        assert (redirected["message"], redirected["parts"][1]["name"]) == ("Look:", "cat.png")
        fork = await both.call(run.fork, input=said, output_schema=Seen)
        forked = await input_of(api_temporal, fork.id)
        assert forked.parts == given.parts
        assert forked.agent.output_schema == Seen.model_json_schema()
        fork = await both.call(run.fork, from_step=1, message=["And", image_part(file)])
        assert (await input_of(api_temporal, fork.id)).parts[1] == given.parts[1]
        history = [{"role": "user", "content": said}, {"role": "assistant", "content": "A cat."}]
        run = await both.call(client.submit, "assistant", "Sure?", history=history)
        past = (await input_of(api_temporal, run.id)).past
        assert past
        assert [len(it.parts) for it in past.history] == [4, 0]


async def test_what_is_no_part_is_refused_before_it_is_sent(both: Caller) -> None:
    nonsense: Any = [{"type": "video", "url": "x"}]
    async with both.open("http://127.0.0.1:9") as client:
        with pytest.raises(InvalidArgument, match="a part is none"):
            await both.call(client.run("run_x").message, nonsense)
        with pytest.raises(InvalidArgument, match="a part is none"):
            await both.call(client.run("run_x").redirect, nonsense)
