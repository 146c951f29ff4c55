"""The output of a run as an instance of the caller's class."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel

from relayline.client import NotCompleted, RelaylineError, UnexpectedAnswer
from relayline.client.calls import submit
from tests.client.both import Caller
from tests.client.stand_in import RUN, StandIn


class Visit(BaseModel):
    city: str
    day: date
    after: Visit | None = None


BERN = {"city": "Bern", "day": "2026-12-01", "after": None}
ERROR = {"type": "output-invalid", "message": "3 answers", "step": 3}


async def result(stand_in: StandIn, both: Caller, model: type[Any], **view: Any) -> Any:
    stand_in.run = {"status": "completed", **view}
    async with both.open(stand_in.url) as client:
        return await both.call(client.run(RUN).result, model)


async def test_output_is_an_instance_of_the_model(stand_in: StandIn, both: Caller) -> None:
    visit = await result(stand_in, both, Visit, output=BERN, output_type="json")
    assert visit == Visit(city="Bern", day=date(2026, 12, 1))


async def test_text_is_a_string(stand_in: StandIn, both: Caller) -> None:
    assert await result(stand_in, both, str, output="Bern") == "Bern"


async def test_output_that_does_not_fit_names_the_place(stand_in: StandIn, both: Caller) -> None:
    wrong = {**BERN, "day": "tomorrow"}
    with pytest.raises(UnexpectedAnswer, match=rf"{RUN} is no Visit: day: "):
        await result(stand_in, both, Visit, output=wrong, output_type="json")


async def test_run_that_failed_has_no_result(stand_in: StandIn, both: Caller) -> None:
    with pytest.raises(NotCompleted, match="it is failed: output-invalid: 3 answers") as caught:
        await result(stand_in, both, Visit, status="failed", error=ERROR)
    assert isinstance(caught.value, RelaylineError)


async def test_result_of_a_conversation_is_that_of_the_turn(
    stand_in: StandIn, both: Caller
) -> None:
    command = {"command_id": "c", "run_id": RUN, "state": "applied", "turn": 2}
    turn = {"turn": 2, "status": "completed", "output": BERN, "output_type": "json"}
    stand_in.run = {"status": "idle", "turn": 2, "last_turn": turn, "command": command}
    async with both.open(stand_in.url) as client:
        visit = await both.call(client.run(RUN).result, Visit, turn_of="c")
    assert visit.city == "Bern"
    stand_in.run |= {"last_turn": {**turn, "turn": 2, "status": "cancelled", "output": None}}
    async with both.open(stand_in.url) as client:
        with pytest.raises(NotCompleted, match="it is cancelled"):
            await both.call(client.run(RUN).result, Visit, turn_of="c")


async def test_refused_message_has_no_result(stand_in: StandIn, both: Caller) -> None:
    refused = {"command_id": "c", "run_id": RUN, "state": "refused", "reason": "busy: a turn runs"}
    stand_in.run = {"status": "running", "turn": 1, "command": refused}
    async with both.open(stand_in.url) as client:
        with pytest.raises(NotCompleted, match="busy: a turn runs"):
            await both.call(client.run(RUN).result, Visit, turn_of="c")


def test_model_is_sent_as_its_schema() -> None:
    body = submit("a", "Where?", {"output_schema": Visit}).body
    assert body
    schema = body["output_schema"]
    assert isinstance(schema, dict)
    assert (schema["type"], schema["title"]) == ("object", "Visit")
    given = submit("a", "Where?", {"output_schema": {"type": "object"}}).body
    assert given
    assert given["output_schema"] == {"type": "object"}
