"""Parts of inputs and messages at the API: looked up, checked against the model, named by runs."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import Client

from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.api.auth.keyed import bearer, keyed, new_key, refused
from tests.api.files.uploading import GIF, PDF, png, upload, uploaded
from tests.api.serving import Api, completed, said, serving, signals, started
from tests.api.test_forks import input_of

NONE = "file_" + "0" * 32
TEXT = {"type": "text", "text": "What is this?"}


def body(*parts: dict[str, Any], model: str = "openai:gpt-5", **fields: Any) -> dict[str, Any]:
    return {"agent": "assistant", "model": model, "input": [*parts], **fields}


def image(file_id: str) -> dict[str, Any]:
    return {"type": "image", "file_id": file_id}


async def test_a_run_gets_what_is_known_of_its_files_and_names_them(
    api: Api, api_temporal: Client
) -> None:
    file = (await upload(api, png(), name="cat.png")).json()
    url = {"type": "file", "url": "https://example.com/a.pdf"}
    answer = await api.http.post("/v1/runs", json=body(TEXT, image(file["file_id"]), url))
    assert answer.status_code == 202, answer.text
    run = await input_of(api_temporal, answer.json()["run_id"])
    assert run.input == "What is this?"
    assert [part.model_dump() for part in run.parts] == [
        TEXT,
        {
            "type": "image",
            "file_id": file["file_id"],
            "name": "cat.png",
            "media_type": "image/png",
            "size": file["size"],
            "sha256": file["sha256"],
        },
        url,
    ]
    assert await api.journal.files.find_named(run.run_id, file["file_id"])


@pytest.mark.parametrize(
    ("data", "kind", "model", "slug"),
    [
        (PDF, "image", "openai:gpt-5", "file-type"),
        (png(), "image", "local", "part-not-taken"),
        (PDF, "file", "ollama:qwen3", "part-not-taken"),
        (PDF, "file", "compatible:x", "part-not-taken"),
        (GIF, "image", "google:gemini-3-pro", "part-not-taken"),
        (b"\0\1", "file", "openai:gpt-5", "part-not-taken"),
        (b"x" * (1024 * 1024 + 1), "file", "openai:gpt-5", "file-too-large"),
    ],
)
async def test_what_a_model_does_not_take_is_refused_by_the_name_of_the_part(
    api: Api, data: bytes, kind: str, model: str, slug: str
) -> None:
    part = {"type": kind, "file_id": await uploaded(api, data)}
    answer = await api.http.post("/v1/runs", json=body(TEXT, part, model=model))
    assert refused(answer) == (422, slug), answer.text
    assert answer.json()["field"].startswith("input.1")


@pytest.mark.parametrize("model", ["local", "openai:gpt-5", "ollama:x", "rehearsal"])
async def test_every_model_takes_texts(api: Api, model: str) -> None:
    part = {"type": "file", "file_id": await uploaded(api, b"a,b\n", "text/csv")}
    answer = await api.http.post("/v1/runs", json=body(TEXT, part, model=model))
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (image(NONE), "input.0.file_id"),
        ({"type": "image"}, "input"),
        ({"type": "image", "file_id": NONE, "url": "https://a.b/"}, "input"),
        ({"type": "image", "file_id": "../x"}, "input"),
        ({"type": "image", "url": "file:///etc/passwd"}, "input"),
        ({"type": "image", "url": "https://user:pw@host/"}, "input"),
        ({"type": "video", "url": "https://a.b/"}, "input"),
        ({"type": "text", "text": ""}, "input"),
        ({"type": "text", "text": "x", "file_id": NONE}, "input"),
    ],
)
async def test_a_malformed_part_is_refused_with_its_place(
    api: Api, part: dict[str, Any], field: str
) -> None:
    answer = await api.http.post("/v1/runs", json=body(part))
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"].startswith(field), answer.text
    assert "pw" not in answer.text


async def test_parts_are_bounded_in_number_and_text(api: Api) -> None:
    for parts in ([], [TEXT] * 33):
        assert (await api.http.post("/v1/runs", json=body(*parts))).status_code == 422
    long = {"type": "text", "text": "x" * 200_000}
    answer = await api.http.post("/v1/runs", json=body(long, long))
    assert (*refused(answer), answer.json()["field"]) == (413, "input-too-large", "input")


async def test_another_tenants_file_is_none(api_temporal: Client, journal: SqliteJournal) -> None:
    async with serving(keyed(), journal, api_temporal) as served:
        owner = bearer(await new_key(journal, "t-has-file"))
        other = bearer(await new_key(journal, "t-asks-file"))
        part = image(await uploaded(served, png(), headers=owner))
        theirs = await served.http.post("/v1/runs", json=body(part), headers=other)
        unknown = await served.http.post("/v1/runs", json=body(image(NONE)), headers=other)
        assert refused(theirs) == refused(unknown) == (422, "unknown-file")
        assert (await served.http.post("/v1/runs", json=body(part), headers=owner)).is_success
        mine = await served.http.post("/v1/runs", json=body(TEXT, open=True), headers=other)
        url = f"/v1/runs/{mine.json()['run_id']}/messages"
        answer = await served.http.post(url, json={"content": [part]}, headers=other)
        assert refused(answer) == (422, "unknown-file")


async def test_a_message_of_a_conversation_has_parts_and_is_repeatable(
    api: Api, api_temporal: Client
) -> None:
    answer = await api.http.post("/v1/runs", json=body(TEXT, open=True))
    run_id = answer.json()["run_id"]
    await api.journal.append(run_id, [started()])
    file_id = await uploaded(api, png(), name="dog.png")
    sent = {"content": [TEXT, image(file_id)], "command_id": "m1"}
    url = f"/v1/runs/{run_id}/messages"
    for _ in range(2):
        answer = await api.http.post(url, json=sent)
        assert answer.status_code == 202, answer.text
    [(_, told)] = await signals(api_temporal, run_id)
    assert told["content"] == "What is this?"
    assert told["parts"][1]["name"] == "dog.png"
    assert await api.journal.files.find_named(run_id, file_id)
    other = await api.http.post(url, json=sent | {"content": [image(file_id)]})
    assert (other.status_code, other.json()["field"]) == (422, "command_id")
    bad = await api.http.post(url, json={"content": [TEXT, image(NONE)]})
    assert (*refused(bad), bad.json()["field"]) == (422, "unknown-file", "content.1.file_id")


async def test_a_batch_rejects_the_run_whose_file_is_missing(api: Api) -> None:
    good, bad = body(image(await uploaded(api, png()))), body(image(NONE))
    answer = await api.http.post("/v1/batches", json={"runs": [good, bad, good]})
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert [it["index"] for it in told["accepted"]] == [0, 2]
    [rejected] = told["rejected"]
    assert rejected["problem"]["type"] == "urn:relayline:problem:unknown-file"
    for run in told["accepted"]:
        file_id = good["input"][0]["file_id"]
        assert await api.journal.files.find_named(run["run_id"], file_id)


async def test_a_schedule_names_no_files(api: Api) -> None:
    run = body(TEXT, image(await uploaded(api, png())))
    answer = await api.http.post("/v1/schedules", json={"every_s": 3600, "run": run})
    assert (*refused(answer), answer.json()["field"]) == (
        *(422, "invalid-field"),
        "run.input.1.file_id",
    )


async def test_a_repeated_submission_is_the_same_run(api: Api) -> None:
    sent = body(TEXT, image(await uploaded(api, png())))
    headers = {"Idempotency-Key": NONE}
    first, again = [await api.http.post("/v1/runs", json=sent, headers=headers) for _ in "12"]
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["run_id"] == again.json()["run_id"]
    other = await api.http.post("/v1/runs", json=body(TEXT), headers=headers)
    assert other.status_code == 422


async def test_the_file_of_a_fork_outlives_the_run_that_it_was_given_to(api: Api) -> None:
    file_id = await uploaded(api, png())
    answer = await api.http.post("/v1/runs", json=body(TEXT, image(file_id)))
    run_id = answer.json()["run_id"]
    await api.journal.append(run_id, [started(), said("What is this?"), completed()])
    fork = await api.http.post(f"/v1/runs/{run_id}/fork", json={"message": "and now?"})
    assert fork.status_code == 202, fork.text
    assert (await api.http.delete(f"/v1/runs/{run_id}")).status_code == 204
    assert (await api.http.get(f"/v1/files/{file_id}")).content == png()
    await api.journal.append(fork.json()["run_id"], [started(), completed()])
    assert (await api.http.delete(f"/v1/runs/{fork.json()['run_id']}")).status_code == 204
    assert (await api.http.get(f"/v1/files/{file_id}")).status_code == 404
    assert await api.journal.files.find(EVERY, file_id) is None
