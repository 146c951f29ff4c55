"""The same with authentication on, and the tree in Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from relayline.dev.own_key import OWN_KEY_FILE
from tests.api.auth.keyed import SECRET
from tests.dev_stack import DevStack
from tests.family.scripts import ASKS_A_PERSON, SLEEPS, asks, below, child_of, facts, says, until
from tests.postgres_server import MIGRATED, PostgresServer

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def keyed(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[DevStack]:
    """A stack that asks for keys; its client has one for everything."""
    dsn = postgres.create_database(f"family_{uuid4().hex}", MIGRATED)
    folder = tmp_path_factory.mktemp("keyed")
    access = {"RELAYLINE_AUTH": "keys", "RELAYLINE_SECRET": SECRET}
    async with DevStack(folder, RELAYLINE_JOURNAL=dsn, **access) as started:
        key = (folder / OWN_KEY_FILE).read_text().strip()
        started.client.headers["Authorization"] = f"Bearer {key}"
        yield started


async def test_a_tree_belongs_to_one_tenant_and_its_questions_are_answered_at_the_top(
    keyed: DevStack,
) -> None:
    script = asks("deputy", asks("steered", ASKS_A_PERSON, says("deep")), says("middle"))
    run_id = await keyed.submit(script, says("done"), agent="lead")
    [item] = (await until(keyed, run_id, lambda it: it.get("status") == "waiting"))["waiting_for"]
    deep = item["run_id"]
    assert len(await below(keyed, run_id)) == 2

    made = await keyed.client.post(
        "/v1/keys", json={"name": "eve", "tenant": "red", "scopes": ["runs:read", "runs:steer"]}
    )
    foreign = {"Authorization": f"Bearer {made.json()['key']}"}
    answer = {"request_id": item["id"], "text": "blue"}
    for each in (run_id, deep):
        path = f"/v1/runs/{each}"
        assert (await keyed.client.get(path, headers=foreign)).status_code == 404
        sent = await keyed.client.post(f"{path}/answer", json=answer, headers=foreign)
        assert sent.status_code == 404
    listed = await keyed.client.get("/v1/runs", params={"root": run_id}, headers=foreign)
    assert listed.json()["runs"] == []

    sent = await keyed.client.post(f"/v1/runs/{run_id}/answer", json=answer)
    assert sent.status_code == 202, sent.text
    assert (await keyed.ended(run_id))["output"] == "done"
    [said] = await facts(keyed, deep, "input.received")
    assert (said["text"], said["by"]) == ("blue", "relayline dev")


async def test_a_cancel_that_a_parent_passes_on_names_its_sender(keyed: DevStack) -> None:
    deep = asks("deputy", asks("steered", SLEEPS, says("deep")), says("middle"))
    run_id = await keyed.submit(deep, says("top"), agent="lead")
    middle = await child_of(keyed, run_id)
    low = await child_of(keyed, middle)
    await keyed.seen(low, "tool.started")
    await keyed.send(run_id, "cancel", reason="enough")
    assert (await keyed.ended(run_id))["status"] == "cancelled"
    for each in (middle, low):
        assert (await keyed.ended(each))["status"] == "cancelled"
        [told] = await facts(keyed, each, "command.applied")
        assert (told["by"], told["verified"]) == ("temporal", False)
    [told] = await facts(keyed, middle, "command.applied")
    assert told["on_behalf_of"] == "relayline dev"
    assert (await keyed.client.delete(f"/v1/runs/{run_id}")).status_code == 204
    for each in (run_id, middle, low):
        assert (await keyed.client.get(f"/v1/runs/{each}")).status_code == 404
