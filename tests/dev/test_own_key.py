"""The key of `relayline dev`: made once, for this user alone, and used by its commands."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from relayline.dev.options import DevError
from relayline.dev.own_key import OWN_KEY_FILE, ensure_own_key
from relayline.journal.access.issuing import KeyIssuer
from relayline.journal.access.secret_ring import SecretRing
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.api.serving import eventually
from tests.console.test_cli import relayline
from tests.dev.test_browser import a_browser
from tests.dev_stack import DevStack

SECRET = "a:" + "s" * 40


async def test_a_key_that_holds_is_kept_and_any_other_replaced(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    issuer = KeyIssuer(journal.api_keys, SecretRing.parse(SECRET), "test")
    file = tmp_path / OWN_KEY_FILE

    async def key() -> str:
        await ensure_own_key(tmp_path, issuer)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        return file.read_text().strip()

    try:
        first = await key()
        assert await key() == first
        await journal.api_keys.revoke(EVERY, first.split("_")[2], 5)
        second = await key()
        assert second != first
        file.write_text("nonsense")
        assert await issuer.holds(await key())
        with pytest.raises(DevError, match="can't be written"):
            await ensure_own_key(Path("/proc/none"), issuer)
    finally:
        await journal.close()


@pytest.mark.stack
async def test_dev_with_keys_lets_in_its_own_commands_and_nobody_else(tmp_path: Path) -> None:
    browser, seen = a_browser(tmp_path)
    started = DevStack(tmp_path / "dev", "--open", RELAYLINE_AUTH="keys", BROWSER=str(browser))
    tmp_path = started.data_dir
    async with started as stack:
        await eventually(lambda: seen.exists() and bool(seen.read_text()))
        assert seen.read_text().strip() == f"{stack.api_urls[0]}/"
        assert (await stack.client.get("/v1/agents")).status_code == 401
        env = {"RELAYLINE_DATA_DIR": str(tmp_path)}
        ran = await relayline("run", "What is 6*7?", "--watch", env=env)
        assert (ran.code, "42" in ran.out) == (0, True), ran.err
        elsewhere = await relayline("run", "6*7", "--url", stack.state["api"]["url"])
        assert (elsewhere.code, elsewhere.out) == (1, "")
        assert "RELAYLINE_API_KEY" in elsewhere.err
        key = (tmp_path / OWN_KEY_FILE).read_text().strip()
        slow = json.dumps({"rehearse": [{"say": "one two", "every_ms": 60_000}]})
        run = (await relayline("run", slow, env=env)).out.strip()
        assert (await relayline("cancel", run, env=env)).code == 0
        url, headers = f"/v1/runs/{run}", {"Authorization": f"Bearer {key}"}
        await stack.client.get(url, params={"wait": 60}, headers=headers)
        page = (await stack.client.get(f"{url}/events", headers=headers)).json()
        of = {it["type"]: it["data"] for it in page["events"]}
        assert of["command.accepted"]["by"] == of["run.cancelled"]["by"] == of["run.queued"]["by"]
        assert "verified" not in of["command.accepted"]
        for log in (tmp_path / "logs").iterdir():
            assert key not in log.read_text()
