"""Runs with an output schema: what is refused at once, and how their output is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import JsonValue
from temporalio.client import Client

from relayline.activities.webhook_body import body_of
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunCompleted, TurnCompleted
from relayline.contracts.keys import turn_key
from relayline.contracts.webhooks import MAX_OUTPUT_BYTES
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.api.serving import Api, run_id, said, started

GOOD = {"agent": "assistant", "input": "Where?"}
CITY: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
BERN: dict[str, JsonValue] = {"city": "Bern"}


def deep(levels: int) -> str:
    """A schema as text; `json` can't write the deepest."""
    return '{"type": "object", "properties": {"a": ' * levels + "{}" + "}}" * levels


@pytest.mark.parametrize(
    ("schema", "words", "limit"),
    [
        ({}, "must be an object", None),
        ({"type": "string"}, "must be an object", None),
        ({"type": "object", "required": "city"}, "$.required is no JSON Schema", None),
        (
            {**CITY, "properties": {"a": {"$ref": "http://127.0.0.1:1/x"}}},
            "nothing is fetched",
            None,
        ),
        ({**CITY, "properties": {"a": {"pattern": "(?=a)"}}}, "pattern", None),
        ({**CITY, "title": "x" * 40_000}, "at most 32768 are allowed", 32_768),
        (deep(40), "nested too deeply, at most 32", 32),
        ('"object"', "", None),
        ([CITY], "", None),
        ({**CITY, "title": "\ud83d"}, "surrogate", None),
    ],
)
async def test_schema_that_can_not_be_used_is_refused_and_named(
    api: Api, schema: Any, words: str, limit: int | None
) -> None:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    body = f'{{"agent": "assistant", "input": "Where?", "output_schema": {text}}}'
    headers = {"content-type": "application/json"}
    answer = await api.http.post("/v1/runs", content=body, headers=headers)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert problem["type"] == "urn:relayline:problem:invalid-field"
    assert problem["field"].startswith("output_schema")
    assert words in problem["detail"]
    assert problem.get("limit") == limit


@pytest.mark.parametrize("levels", [300, 5000])
async def test_schema_that_nobody_could_read_is_refused(api: Api, levels: int) -> None:
    body = f'{{"agent": "assistant", "input": "Where?", "output_schema": {deep(levels)}}}'
    headers = {"content-type": "application/json"}
    answer = await api.http.post("/v1/runs", content=body, headers=headers)
    assert answer.status_code in {400, 422}, answer.text


async def test_schema_is_a_part_of_the_run_and_of_the_request(
    api: Api, api_temporal: Client
) -> None:
    key = run_id()
    body = {**GOOD, "output_schema": CITY}
    headers = {"Idempotency-Key": key}
    first = await api.http.post("/v1/runs", json=body, headers=headers)
    again = await api.http.post("/v1/runs", json=body, headers=headers)
    other = await api.http.post("/v1/runs", json=GOOD, headers=headers)
    assert [it.status_code for it in (first, again, other)] == [202, 200, 422]
    handle = api_temporal.get_workflow_handle(first.json()["run_id"])
    history = await handle.fetch_history()
    started_with = history.events[0].workflow_execution_started_event_attributes.input
    given = json.loads(started_with.payloads[0].data)
    assert given["agent"]["output_schema"] == CITY


async def test_a_bad_schema_in_a_batch_stops_no_other_run(api: Api) -> None:
    runs = [{**GOOD, "output_schema": CITY}, {**GOOD, "output_schema": {}}]
    answer = (await api.http.post("/v1/batches", json={"runs": runs})).json()
    assert [it["index"] for it in answer["accepted"]] == [0]
    [rejected] = answer["rejected"]
    assert (rejected["index"], rejected["problem"]["field"]) == (1, "output_schema")


async def ended(journal: SqliteJournal, output: JsonValue, **more: Any) -> str:
    """A run that completed with that output."""
    new = run_id()
    body = RunCompleted(output=output, **more)
    fact = NewEvent(key="0/run/ended", body=body, step=1)
    await journal.append(new, [started(), said("hello"), fact])
    return new


async def test_output_is_shown_as_the_value_that_it_is(api: Api, journal: SqliteJournal) -> None:
    run = await ended(journal, BERN, output_type="json")
    view = (await api.http.get(f"/v1/runs/{run}")).json()
    assert (view["output"], view["output_type"]) == (BERN, "json")
    page = (await api.http.get(f"/v1/runs/{run}/events")).json()
    assert page["events"][-1]["data"]["output"] == BERN
    listed = (await api.http.get("/v1/runs")).json()["runs"]
    [now] = [it["now"] for it in listed if it["run_id"] == run]
    assert now == {"kind": "said", "what": '{"city": "Bern"}'}


async def test_text_is_shown_as_before(api: Api, journal: SqliteJournal) -> None:
    run = await ended(journal, "Bern")
    view = (await api.http.get(f"/v1/runs/{run}")).json()
    assert view["output"] == "Bern"
    assert "output_type" not in view


async def test_turn_has_the_value_too(api: Api, journal: SqliteJournal) -> None:
    new = run_id()
    turn = TurnCompleted(turn=1, status="completed", output=BERN, output_type="json")
    fact = NewEvent(key=turn_key(0, 1), body=turn, step=1)
    first = said("hello")
    spoken = first.model_copy(update={"body": first.body.model_copy(update={"turn": 1})})
    await journal.append(new, [started(), spoken, fact])
    view = (await api.http.get(f"/v1/runs/{new}")).json()
    assert (view["last_turn"]["output"], view["last_turn"]["output_type"]) == (BERN, "json")


async def test_receiver_is_told_the_value_or_as_much_of_its_text_as_fits(
    journal: SqliteJournal,
) -> None:
    long = "é" * MAX_OUTPUT_BYTES
    several: list[tuple[JsonValue, JsonValue]] = [
        (BERN, BERN),
        ({"city": long}, f'{{"city": "{long}'),
    ]
    for output, told in several:
        run = await ended(journal, output, output_type="json")
        *_, last = await journal.read(EVERY, run)
        data = json.loads(body_of(last, '{"agent": "a"}'))["data"]
        assert data["output_type"] == "json"
        if isinstance(told, str):
            assert data["truncated"]
            assert told.startswith(data["output"])
            assert len(data["output"].encode()) <= MAX_OUTPUT_BYTES
        else:
            assert data["output"] == told
            assert "truncated" not in data
