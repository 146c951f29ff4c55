"""Structured answers on a whole stack: the API, a worker, the rehearsal model, and the clients."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import from_json

from relayline import AsyncClient, Client
from relayline.client import NotCompleted
from relayline.contracts.events import RunForked
from tests.dev_stack import DevStack

pytestmark = pytest.mark.stack
WRONG, RIGHT = {"answer": {"town": "Bern"}}, {"answer": {"city": "Bern", "people": 134794}}


class City(BaseModel):
    """A city."""

    city: str
    people: int = 0


def script(*items: dict[str, Any]) -> str:
    return json.dumps({"rehearse": items})


async def test_answer_that_does_not_fit_is_asked_for_again_and_comes_as_json(
    stack: DevStack,
) -> None:
    async with AsyncClient(stack.api_urls[0]) as client:
        run = await client.submit("assistant", script(WRONG, RIGHT), output_schema=City)
        assert await run.result(City, 60) == City(city="Bern", people=134794)
        view = await run.get()
        assert (view.output, view.output_type) == ({"city": "Bern", "people": 134794}, "json")
    events = await stack.events(run.id)
    told = [it["type"] for it in events if it["type"] in {"message.completed", "output.rejected"}]
    assert told == ["message.completed", "output.rejected", "message.completed"]
    [rejected] = [it for it in events if it["type"] == "output.rejected"]
    assert rejected["data"] == {
        "problem": "'city' is a required property",
        "rejections": 1,
        "allowed": 3,
    }
    assert (events[-1]["type"], events[-1]["data"]["output_type"]) == ("run.completed", "json")
    assert (await stack.ended(run.id))["usage"]["output_tokens"] > 0


async def test_run_fails_when_no_answer_fits(stack: DevStack) -> None:
    with Client(stack.api_urls[0]) as client:
        run = await asyncio.to_thread(
            client.submit, "assistant", script(WRONG, WRONG, WRONG, RIGHT), output_schema=City
        )
        with pytest.raises(NotCompleted, match="output-invalid: 3 answers did not fit"):
            await asyncio.to_thread(run.result, City, 60)
    assert len([it for it in await stack.events(run.id) if it["type"] == "output.rejected"]) == 3


async def test_turns_of_a_conversation_are_json_too(stack: DevStack) -> None:
    async with AsyncClient(stack.api_urls[0]) as client:
        run = await client.submit("assistant", script(RIGHT), output_schema=City, open=True)
        receipt = await run.message(script(WRONG, {"answer": {"city": "Chur"}}))
        assert await run.result(City, 60, turn_of=receipt.command_id) == City(city="Chur")
        await run.close()
        assert (await run.wait(60)).output == {"city": "Chur"}
    turns = [it["data"] for it in await stack.events(run.id) if it["type"] == "turn.completed"]
    assert [it["output"]["city"] for it in turns] == ["Bern", "Chur"]
    assert {it["output_type"] for it in turns} == {"json"}


async def test_stream_shows_the_json_as_it_comes(stack: DevStack) -> None:
    answer = {"answer": {"city": "Bern", "people": 134794}, "every_ms": 30}
    seen: list[Any] = []
    async with AsyncClient(stack.api_urls[0]) as client:
        stream = await client.submit_and_stream("assistant", script(answer), output_schema=City)
        async for event in stream:
            if event.type == "message.delta":
                text = stream.rendered.text(1)
                seen.append(from_json(text, allow_partial="trailing-strings"))
    assert stream.output == '{"city": "Bern", "people": 134794}'
    assert {} in seen or {"city": "Bern"} in seen, seen
    assert seen[-1] == answer["answer"]


async def test_fork_answers_as_its_origin_must(stack: DevStack) -> None:
    async with AsyncClient(stack.api_urls[0]) as client:
        run = await client.submit("assistant", script(WRONG, RIGHT), output_schema=City)
        await run.wait(60)
        fork = await run.fork(from_step=2)
        assert await fork.result(City, 60) == City(city="Bern", people=134794)
    types = [it["type"] for it in await stack.events(fork.id)]
    assert types.count("output.rejected") == 1, "the model must read why"


async def test_fork_may_have_to_answer_by_a_schema_of_its_own(stack: DevStack) -> None:
    async with AsyncClient(stack.api_urls[0]) as client:
        run = await client.submit("assistant", script({"say": "Bern"}))
        assert (await run.wait(60)).output == "Bern"
        told = script(WRONG, RIGHT)
        fork = await run.fork(message=told, output_schema=City, settings={"temperature": 0})
        assert await fork.result(City, 60) == City(city="Bern", people=134794)
        city = City(city="Chur")
        [forked] = [it.body async for it in fork.events() if it.type == "run.forked"]
        assert isinstance(forked, RunForked)
        assert forked.changed["output_schema"] == City.model_json_schema()
        again = await fork.fork(message=script({"answer": city.model_dump()}))
        assert await again.result(City, 60) == city


async def test_plain_text_rehearses_an_answer_that_fits(stack: DevStack) -> None:
    async with AsyncClient(stack.api_urls[0]) as client:
        run = await client.submit("assistant", "Tell me of a city.", output_schema=City)
        assert (await run.result(City, 60)).city == "rehearsal"


async def test_command_line_takes_a_schema(stack: DevStack, tmp_path: Path) -> None:
    file = tmp_path / "city.json"
    file.write_text(json.dumps(City.model_json_schema()))
    command = [sys.executable, "-m", "relayline", "run", script(WRONG, RIGHT), "--watch"]
    shown = await asyncio.create_subprocess_exec(
        *command,
        *("--schema", str(file), "--url", stack.api_urls[0]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(shown.communicate(), 90)
    assert shown.returncode == 0
    text = out.decode()
    assert "the answer does not fit (1 of 3): 'city' is a required property" in text
    assert '{"city": "Bern", "people": 134794}' in text
