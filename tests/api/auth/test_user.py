"""With authentication on, a run works for whoever submits it, unless it says for whom."""

from __future__ import annotations

from relayline.contracts.events import RunQueued
from relayline.contracts.keys import QUEUED_KEY
from relayline.journal.table import EVERY
from tests.api.auth.keyed import bearer, issued
from tests.api.serving import Api


async def test_a_run_works_for_its_submitter_or_for_whom_the_submitter_names(
    keyed_api: Api,
) -> None:
    key = await issued(keyed_api.journal, name="ann")
    for given, user in (({}, "ann"), ({"user": "bob"}, "bob")):
        body = {"agent": "assistant", "input": "hello", **given}
        answer = await keyed_api.http.post("/v1/runs", json=body, headers=bearer(key))
        stored = await keyed_api.journal.get(EVERY, answer.json()["run_id"], QUEUED_KEY)
        queued = stored.body() if stored else None
        assert isinstance(queued, RunQueued)
        assert (queued.user, queued.by) == (user, "ann")
