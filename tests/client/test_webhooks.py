"""Both clients register, look at, rotate and remove receivers of webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client as Temporal

from relayline.client import AsyncClient, Client, InvalidRequest, NotFound
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.serving import Api, serving
from tests.client.both import Caller

URL = "https://93.184.215.14/hook"


@pytest.fixture
async def api(
    no_temporal: Temporal, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    journal = SqliteJournal(tmp_path_factory.mktemp("client") / "journal.db")
    async with serving(Settings(), journal, no_temporal) as served:
        yield served
    await journal.close()


@pytest.fixture
async def no_temporal() -> Temporal:
    return await Temporal.connect("127.0.0.1:1", lazy=True)


@pytest.mark.parametrize("make", [Client, AsyncClient])
async def test_a_receiver_from_registration_to_removal(
    api: Api, make: type[Client | AsyncClient]
) -> None:
    both = Caller(make)
    async with both.open(str(api.http.base_url)) as client:
        hooks = client.webhooks
        made = await both.call(hooks.add, URL, events=["run.failed"], agents=["a"], tenant="acme")
        assert made.secret.startswith("whsec_")
        assert made.secret not in repr(made)
        id_ = made.webhook_id
        assert (await both.call(hooks.get, id_)).events == ("run.failed",)
        assert [it.webhook_id for it in (await both.call(hooks.list)).webhooks] == [id_]
        assert (await both.call(hooks.rotate, id_)).secret != made.secret
        assert (await both.call(hooks.rotate)).webhook_id == "default"
        assert (await both.call(hooks.enable, id_)).disabled_at is None
        found = await both.call(hooks.deliveries, id_, state="failed", run_id=f"run_{'0' * 16}")
        assert found.deliveries == ()
        await both.call(hooks.remove, id_)
        with pytest.raises(NotFound):
            await both.call(hooks.test, id_)
        with pytest.raises(NotFound):
            await both.call(hooks.redeliver, "dlv_x")
        with pytest.raises(InvalidRequest, match="not a public address"):
            await both.call(hooks.add, "https://10.0.0.1/")
        webhook = {"id": f"wh_{'0' * 32}"}
        with pytest.raises(InvalidRequest, match=r"webhook\.id"):
            await both.call(client.submit, "assistant", "hi", webhook=webhook)
