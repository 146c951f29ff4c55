"""`relayline key`: makes the first key, shows it once, and needs no API."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from relayline.contracts.principals import Scope
from relayline.journal.access.issuing import KeyIssuer
from relayline.journal.access.secret_ring import SecretRing
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.client.stand_in import RUN, Refuse, StandIn
from tests.console.test_cli import Ended, relayline

pytestmark = pytest.mark.slow

KEY = re.compile(r"rl_live_([0-9A-Za-z]{16})_[0-9A-Za-z]{49}\n")


async def key(folder: Path, *words: str) -> Ended:
    return await relayline("key", *words, env={"RELAYLINE_DATA_DIR": str(folder)})


async def test_a_key_is_made_listed_rotated_and_revoked(tmp_path: Path) -> None:
    made = await key(tmp_path, "create", "--name", "ann", "--expires-in", "90d")
    assert made.code == 0, made.err
    first = KEY.fullmatch(made.out)
    assert first
    secret = tmp_path / "secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    file = tmp_path / "ops.key"
    all_of_it = ("--name", "ops", "--scope", "all", "--tenant", "red")
    written = await key(tmp_path, "create", *all_of_it, "--to", str(file))
    second = KEY.fullmatch(file.read_text())
    assert second
    assert (written.out, stat.S_IMODE(file.stat().st_mode)) == (
        f"{second[1]} is in {file}\n",
        0o600,
    )
    assert "exists" in (await key(tmp_path, "create", *all_of_it, "--to", str(file))).err
    listed = (await key(tmp_path, "list")).out.splitlines()
    assert [line.split()[:4] for line in listed] == [
        [second[1], "holds", "red", "ops"],
        [first[1], "holds", "default", "ann"],
    ]
    assert "runs:erase" in listed[0]
    assert "runs:erase" not in listed[1]
    rotated = await key(tmp_path, "rotate", first[1], "--grace", "0s")
    assert KEY.fullmatch(rotated.out)
    assert (await key(tmp_path, "revoke", second[1])).out == f"{second[1]} is revoked\n"
    states = {
        line.split()[0]: line.split()[1] for line in (await key(tmp_path, "list")).out.splitlines()
    }
    assert (states[first[1]], states[second[1]]) == ("expired", "revoked")
    assert len((await key(tmp_path, "list", "--tenant", "red")).out.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "--name", "ann", "--scope", "runs:everything"), "runs:everything"),
        (("create", "--name", "ann", "--tenant", "Not A Tenant"), "--tenant"),
        (("create", "--name", ""), "--name"),
        (("create", "--name", "ann", "--expires-in", "soon"), "24h"),
        (("rotate", "unknown"), "no key"),
        (("revoke", "unknown"), "no key"),
    ],
)
async def test_what_can_not_be_done_is_said(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    ended = await key(tmp_path, *words)
    assert ended.code in {1, 2}
    assert said in ended.err
    assert not ended.out


async def test_the_first_key_is_made_once_and_shown_to_nobody(tmp_path: Path) -> None:
    secret, file = tmp_path / "secrets" / "one", tmp_path / "first"
    env = {"RELAYLINE_DATA_DIR": str(tmp_path), "RELAYLINE_SECRET_FILE": str(secret)}
    file.write_text("of a try that was cut off\n")
    made = await relayline("key", "first", "--to", str(file), env=env)
    text = file.read_text()
    parsed = KEY.fullmatch(text)
    assert parsed, made.err
    assert (made.code, made.out, made.err) == (0, f"{parsed[1]} is in {file}\n", "")
    for path in (secret, file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = await relayline("key", "first", "--to", str(tmp_path / "second"), env=env)
    assert (again.code, again.out) == (0, "there is a key: none is made\n")
    assert not (tmp_path / "second").exists()
    journal = SqliteJournal(tmp_path / "journal.db")
    try:
        [stored] = await journal.api_keys.keys(EVERY, 10)
        issuer = KeyIssuer(journal.api_keys, SecretRing.parse(secret.read_text().strip()), "live")
        assert await issuer.holds(text.strip())
        assert stored.scopes == frozenset(Scope)
    finally:
        await journal.close()


async def test_with_postgres_the_secret_must_be_given() -> None:
    env = {"RELAYLINE_JOURNAL": "postgresql://nobody@127.0.0.1:1/none"}
    ended = await relayline("key", "create", "--name", "ann", env=env)
    assert (ended.code, ended.out) == (1, "")
    assert "unavailable" in ended.err


async def test_commands_send_the_key_of_the_file_or_the_environment(
    stand_in: StandIn, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("from-the-file\n")
    url = ("--url", stand_in.url)
    for words, env in (
        (("--api-key-file", str(file)), {}),
        ((), {"RELAYLINE_API_KEY_FILE": str(file)}),
        ((), {"RELAYLINE_API_KEY": "from-the-file"}),
    ):
        stand_in.requests.clear()
        await relayline(*words, "pause", RUN, *url, env=env)
        assert stand_in.requests[0][2]["authorization"] == "Bearer from-the-file"
    missing = await relayline("--api-key-file", "/proc/none", "pause", RUN, *url)
    assert (missing.code, missing.out) == (1, "")
    assert "/proc/none can't be read" in missing.err


async def test_without_a_valid_key_a_command_says_how_to_give_one(stand_in: StandIn) -> None:
    stand_in.problem = Refuse(401, "unauthenticated", "the credentials are not valid")
    ended = await relayline("pause", RUN, "--url", stand_in.url)
    assert (ended.code, ended.out) == (1, "")
    assert "the credentials are not valid: set RELAYLINE_API_KEY" in ended.err
