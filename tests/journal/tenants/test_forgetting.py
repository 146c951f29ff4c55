"""A process that only reads forgets a key that was erased."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from relayline.journal.port import TenantErased
from relayline.journal.tenants.data_key import DataKey, wrap
from relayline.journal.tenants.known_rows import KnownRows
from relayline.journal.tenants.lists import listed_of
from relayline.journal.tenants.sealing import Sealing
from relayline.journal.tenants.tenant_keys import KeyState, TenantKey
from relayline.journal.tenants.vault import FRESH_S, Vault
from relayline.projections.row import RunRow, dump_row
from tests.journal.tenants.keeping import FIRST
from tests.journal.tenants.test_keys import Table

KEY = b"s" * 32


async def opened_text(vault: Vault) -> None:
    async def nobody(_: str) -> None:
        return None

    sealed = DataKey("acme", "tk_1", KEY).seal("said", "b")
    assert await Sealing(vault, nobody).open(sealed, "b") == "said"


async def listed_row(vault: Vault) -> None:
    row = RunRow(run_id="run", tenant="acme")
    sealed = DataKey("acme", "tk_1", KEY).seal(dump_row(row), "row", "run")
    [found] = await listed_of(vault, KnownRows(vault), [("run", sealed, 1, None)])
    assert found.row == row


@pytest.mark.parametrize("read", [opened_text, listed_row])
async def test_a_process_that_only_reads_forgets_a_key_that_was_erased(
    read: Callable[[Vault], Awaitable[None]],
) -> None:
    now = 0.0
    wrapped = wrap(KEY, FIRST.key("first").secret, "acme", "tk_1")
    key = TenantKey("acme", "tk_1", KeyState.ACTIVE, "first", wrapped, 0)
    table = Table([key])
    vault = Vault(table, FIRST, lambda: now)
    await vault.refresh()
    await read(vault)
    table.keys = [key._replace(state=KeyState.ERASED, wrapped="", ring_id="")]
    now = FRESH_S
    with pytest.raises(TenantErased):
        await read(vault)
