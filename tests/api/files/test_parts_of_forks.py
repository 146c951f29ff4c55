"""Parts of redirects, forks and histories: as those of inputs, and as long as a run names them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from relayline.api.signing.ids import new_run_id
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import UserMessageEvent
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.api.auth.keyed import bearer, keyed, new_key, refused
from tests.api.files.test_parts import NONE, TEXT, body, image
from tests.api.files.uploading import PDF, png, uploaded
from tests.api.serving import Api, completed, said, serving, signals, started
from tests.api.test_forks import fork, input_of, played


async def running(api: Api, **fields: Any) -> str:
    """A run that has begun in the journal."""
    answer = await api.http.post("/v1/runs", json=body(TEXT, **fields))
    assert answer.status_code == 202, answer.text
    run: str = answer.json()["run_id"]
    await api.journal.append(run, [started()])
    return run


async def end(api: Api, run: str) -> None:
    """End it in the journal, then erase it."""
    await api.journal.append(run, [started(), said("x"), completed()])
    assert (await api.http.delete(f"/v1/runs/{run}")).status_code == 204


async def test_a_redirect_has_parts_and_is_repeatable(api: Api, api_temporal: Client) -> None:
    run, file_id = await running(api), await uploaded(api, png(), name="dog.png")
    sent = {"message": [TEXT, image(file_id)], "command_id": "r1", "now": False}
    url = f"/v1/runs/{run}/redirect"
    for _ in range(2):
        answer = await api.http.post(url, json=sent)
        assert answer.status_code == 202, answer.text
    [(name, told)] = await signals(api_temporal, run)
    assert (name, told["message"], told["now"]) == ("redirect", "What is this?", False)
    assert told["parts"][1]["name"] == "dog.png"
    assert len(str(told)) < 1000
    assert await api.journal.files.find_named(run, file_id)
    other = await api.http.post(url, json=sent | {"message": [image(file_id)]})
    assert (other.status_code, other.json()["field"]) == (422, "command_id")
    plain = await api.http.post(url, json={"message": "look"})
    assert plain.status_code == 202
    assert "parts" not in (await signals(api_temporal, run))[1][1]


@pytest.mark.parametrize(
    ("message", "slug", "field"),
    [
        ([TEXT, image(NONE)], "unknown-file", "message.1.file_id"),
        ([TEXT] * 33, "invalid-field", "message"),
        ([], "invalid-field", "message"),
        ([{"type": "text", "text": "x" * 20_000}] * 2, "invalid-field", "message"),
        ([{"type": "image"}], "invalid-field", "message.0"),
    ],
)
async def test_a_bad_part_of_a_redirect_is_refused_with_its_place(
    api: Api, message: Any, slug: str, field: str
) -> None:
    url = f"/v1/runs/{await running(api)}/redirect"
    answer = await api.http.post(url, json={"message": message})
    assert (*refused(answer), answer.json()["field"]) == (422, slug, field), answer.text


async def test_the_model_of_the_run_and_of_the_fork_decides_what_is_taken(api: Api) -> None:
    paper = {"type": "file", "file_id": await uploaded(api, PDF)}
    run = await running(api, model="ollama:qwen3")
    answer = await api.http.post(f"/v1/runs/{run}/redirect", json={"message": [paper]})
    assert (*refused(answer), answer.json()["field"]) == (422, "part-not-taken", "message.0")
    run = await played(api)
    answer = await fork(api, run, message=[TEXT, paper], model="ollama:qwen3")
    assert (*refused(answer), answer.json()["field"]) == (422, "part-not-taken", "message.1")
    answer = await fork(api, run, input=[paper], model="ollama:qwen3")
    assert (*refused(answer), answer.json()["field"]) == (422, "part-not-taken", "input.0")
    assert (await fork(api, run, message=[TEXT, paper])).status_code == 202


async def test_a_fork_gets_what_is_known_of_its_files(api: Api, api_temporal: Client) -> None:
    run, file_id, key = await played(api), await uploaded(api, png(), name="cat.png"), uuid4().hex
    message = [image(file_id), TEXT]
    first = await fork(api, run, key, message=message)
    assert first.status_code == 202, first.text
    assert (await fork(api, run, key, message=message)).status_code == 200
    assert (await fork(api, run, key, message=[TEXT])).status_code == 422
    given = await input_of(api_temporal, first.json()["run_id"])
    assert (given.input, [part.type for part in given.parts]) == (
        "What is this?",
        ["image", "text"],
    )
    assert getattr(given.parts[0], "name", "") == "cat.png"
    anew = await input_of(api_temporal, (await fork(api, run, input=message)).json()["run_id"])
    assert anew.parts == given.parts
    assert anew.past
    assert (anew.past.step, anew.past.seq, anew.past.asks) == (1, 0, True)


async def test_files_of_a_redirect_and_of_forks_live_until_the_last_of_these_runs_is_erased(
    api: Api,
) -> None:
    redirected, given = await uploaded(api, png(1)), await uploaded(api, png(2))
    run = await running(api)
    sent = {"message": [image(redirected)]}
    assert (await api.http.post(f"/v1/runs/{run}/redirect", json=sent)).status_code == 202
    await api.journal.append(run, [said("What is this?")])
    forks = [
        (await fork(api, run, message=[image(given)])).json()["run_id"],
        (await fork(api, run, from_step=1, message="and now?")).json()["run_id"],
    ]
    await end(api, run)
    for file_id in (redirected, given):
        assert await api.journal.files.find(EVERY, file_id)
    await end(api, forks[0])
    assert await api.journal.files.find(EVERY, given) is None
    assert await api.journal.files.find(EVERY, redirected)
    await end(api, forks[1])
    assert await api.journal.files.find(EVERY, redirected) is None


async def test_another_tenants_file_is_none_wherever_it_is_named(
    api_temporal: Client, journal: SqliteJournal
) -> None:
    async with serving(keyed(), journal, api_temporal) as served:
        owner = bearer(await new_key(journal, "t-has-parts"))
        other = bearer(await new_key(journal, "t-asks-parts"))
        part = image(await uploaded(served, png(), headers=owner))
        mine = await played(served, other)
        kept = (await served.http.post("/v1/runs", json=body(TEXT), headers=other)).json()
        history = [{"role": "user", "content": [part]}]
        for path, asked in (
            (f"/v1/runs/{mine}/fork", {"message": [part]}),
            (f"/v1/runs/{kept['run_id']}/redirect", {"message": [part]}),
            ("/v1/runs", body(TEXT, history=history)),
        ):
            answer = await served.http.post(path, json=asked, headers=other)
            assert refused(answer) == (422, "unknown-file"), path
        asked = body(TEXT, history=history)
        assert (await served.http.post("/v1/runs", json=asked, headers=owner)).is_success


async def test_a_message_with_files_to_an_ended_run_is_answered_with_a_fork_that_has_them(
    api: Api,
) -> None:
    run, file_id = await played(api), await uploaded(api, png())
    asked = {"content": [TEXT, image(file_id)]}
    answer = await api.http.post(f"/v1/runs/{run}/messages", json=asked)
    assert refused(answer) == (409, "run-ended")
    assert answer.json()["fork"] == {"message": asked["content"]}
    forked = await fork(api, run, **answer.json()["fork"])
    assert forked.status_code == 202, forked.text
    assert await api.journal.files.find_named(forked.json()["run_id"], file_id)


async def test_what_a_user_said_before_has_parts(api: Api, api_temporal: Client) -> None:
    old, new = await uploaded(api, png(), name="old.png"), await uploaded(api, png(1))
    history = [
        {"role": "user", "content": [TEXT, image(old)]},
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": "Sure?"},
    ]
    answer = await api.http.post("/v1/runs", json=body(image(new), history=history))
    assert answer.status_code == 202, answer.text
    run = await input_of(api_temporal, answer.json()["run_id"])
    assert run.past
    first, second, third = run.past.history
    assert (first.content, getattr(first.parts[1], "name", "")) == ("What is this?", "old.png")
    assert second.parts == third.parts == ()
    assert run.past.step == 2
    for file_id in (old, new):
        assert await api.journal.files.find_named(run.run_id, file_id)


@pytest.mark.parametrize(
    ("said_before", "slug", "field"),
    [
        ([{"role": "user", "content": [TEXT, image(NONE)]}], "unknown-file", "0.content.1.file_id"),
        ([{"role": "assistant", "content": [TEXT]}], "invalid-field", "0.content"),
        ([{"role": "user", "content": []}], "invalid-field", "0.content"),
    ],
)
async def test_a_bad_part_of_a_history_is_refused_with_its_place(
    api: Api, said_before: Any, slug: str, field: str
) -> None:
    answer = await api.http.post("/v1/runs", json=body(TEXT, history=said_before))
    assert (*refused(answer), answer.json()["field"]) == (422, slug, f"history.{field}")


async def test_a_history_has_a_bounded_number_of_files(api: Api) -> None:
    many = [{"role": "user", "content": [image(NONE)] * 20}] * 5
    answer = await api.http.post("/v1/runs", json=body(image(NONE), history=many))
    told = answer.json()
    assert (*refused(answer), told["field"], told["limit"]) == (
        *(422, "invalid-field"),
        *("history", 100),
    )


async def test_a_schedule_names_no_files_in_its_history(api: Api) -> None:
    history = [{"role": "user", "content": [image(await uploaded(api, png()))]}]
    run = body(TEXT, history=history)
    answer = await api.http.post("/v1/schedules", json={"every_s": 3600, "run": run})
    assert (*refused(answer), answer.json()["field"]) == (
        *(422, "invalid-field"),
        "run.history.0.content.0.file_id",
    )


async def test_a_repeated_submission_with_parts_is_known_when_temporal_has_forgotten_it(
    api: Api,
) -> None:
    file_id, other = await uploaded(api, png()), await uploaded(api, png(1))
    run, headers = new_run_id("forgotten parts"), {"Idempotency-Key": "forgotten parts"}
    known = {**image(file_id), "name": "cat.png", "media_type": "image/png", "size": 5}
    told = UserMessageEvent.model_validate({"text": TEXT["text"], "parts": (TEXT, known)})
    message = NewEvent(key="0/message/0", body=told)
    await api.journal.append(run, [started(), message, completed()])
    sent = body(TEXT, image(file_id), model="rehearsal")
    same = await api.http.post("/v1/runs", json=sent, headers=headers)
    assert (same.status_code, same.json().get("run_id")) == (200, run), same.text
    for changed in ([TEXT], [TEXT, image(other)], TEXT["text"]):
        again = await api.http.post("/v1/runs", json=sent | {"input": changed}, headers=headers)
        assert refused(again) == (422, "idempotency-key-reused")
