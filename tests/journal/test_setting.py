"""The setting that names the journal, and the command that prepares a Postgres one."""

from __future__ import annotations

import traceback
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from relayline.journal.port import JournalUnavailable
from relayline.journal.postgres.database import Database, address_of
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.postgres.migrate import migrate
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.process import build_journal
from relayline.runtime.settings import BadSettings, Settings, load_settings
from tests.console.test_cli import relayline
from tests.postgres_server import QUOTED_PASSWORD, USER, PostgresServer

pytestmark = pytest.mark.slow

NAME = "RELAYLINE_JOURNAL"


@pytest.mark.parametrize("journal", ["", "here.db", "/var/lib/relayline/journal.db"])
def test_a_path_is_a_sqlite_file(journal: str) -> None:
    settings = Settings(journal=journal, data_dir=Path("there"))
    assert settings.journal_dsn is None
    assert settings.journal_path == Path(journal or "there/journal.db")
    assert isinstance(build_journal(settings), SqliteJournal)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
async def test_an_address_of_postgres_is_postgres(scheme: str) -> None:
    settings = Settings(journal=f"{scheme}://u:hush-hush@db:5432/relayline?sslmode=require")
    assert settings.journal_dsn == settings.journal
    assert "hush-hush" not in repr(settings)
    assert isinstance(build_journal(settings), PostgresJournal)


@pytest.mark.parametrize(
    ("journal", "why"),
    [
        ("mysql://u:hush-hush@db/relayline", "only Postgres, or the path of a SQLite file"),
        ("postgresql://u:hush-hush@db", "names no database"),
        ("postgresql://u:hush-hush@db:many/relayline", "can't be read"),
        ("postgresql://u:12/secret@db:5432/relayline", "can't be read.*percent-encoded"),
        ("postgresql://u:p@ss/secret@db:5432/relayline", "can't be read.*percent-encoded"),
        ("postgresql://u:p@secret@db/relayline", "can't be read.*percent-encoded"),
        ("postgresql://u:12?secret=@db/relayline", "can't be read.*percent-encoded"),
        ("postgresql://u:p@ss/x#secret@db/relayline", "can't be read.*percent-encoded"),
        ("postgresql://u@db/relayline?password=p&secret", "can't be read.*percent-encoded"),
        ("postgresql:/u:hush-hush@db/relayline", "can't be read"),
        (" Postgres:u:hush-hush@db/relayline", "can't be read"),
    ],
)
def test_another_address_is_refused_without_quoting_it(
    monkeypatch: pytest.MonkeyPatch, journal: str, why: str
) -> None:
    monkeypatch.setenv(NAME, journal)
    with pytest.raises(BadSettings, match=f"{NAME} .*{why}") as caught:
        load_settings()
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:hush-hush@db:5432/ours?password=secret&sslpassword=secret&passfile=/secret",
        "postgresql://u:12/secret@db:5432/ours",
        "postgresql://u:p@ss/secret@db:5432/ours",
    ],
)
def test_what_is_shown_of_an_address_is_where_it_leads(dsn: str) -> None:
    assert address_of(dsn) == "db:5432/ours"


async def test_migrate_prepares_a_database_once_and_says_so(postgres: PostgresServer) -> None:
    env = {NAME: postgres.create_database(f"test_{uuid4().hex}")}
    said = [await relayline("migrate", env=env) for _ in range(2)]
    assert [ended.code for ended in said] == [0, 0]
    assert "it was not there" in said[0].out
    assert "already" in said[1].out


async def test_migrate_with_a_role_that_may_create_nothing_says_what_it_lacks(
    postgres: PostgresServer,
) -> None:
    role, dsn = f"poor_{uuid4().hex}", postgres.create_database(f"test_{uuid4().hex}")
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'poor'")
    poor = dsn.replace(f"{USER}:{QUOTED_PASSWORD}", f"{role}:poor")
    with pytest.raises(JournalUnavailable, match=r"denied .*grant its user the missing privileges"):
        await migrate(poor)
    ended = await relayline("migrate", env={NAME: poor})
    assert (ended.code, ended.out, len(ended.err.splitlines())) == (1, "", 1)
    assert "grant its user the missing privileges" in ended.err
    await admin.execute(f"DROP ROLE {role}")
    await admin.close()


async def test_migrate_uses_the_owner_of_the_tables_if_it_is_named(
    postgres: PostgresServer,
) -> None:
    owner = postgres.create_database(f"test_{uuid4().hex}")
    env = {NAME: "postgresql://nobody:poor@127.0.0.1:1/x", "RELAYLINE_JOURNAL_OWNER": owner}
    ended = await relayline("migrate", env=env)
    assert (ended.code, "it was not there" in ended.out) == (0, True), ended.err
    assert "hush-hush" not in repr(Settings(journal_owner="postgresql://u:hush-hush@db/x"))
    ended = await relayline("migrate", env={"RELAYLINE_JOURNAL_OWNER": "mysql://u:hush-hush@db/x"})
    assert ended.code != 0
    assert "RELAYLINE_JOURNAL_OWNER" in ended.err
    assert "hush-hush" not in ended.err


async def test_migrate_leaves_a_sqlite_journal_alone() -> None:
    ended = await relayline("migrate", env={NAME: "/proc/none/journal.db"})
    assert (ended.code, ended.out) == (0, "the journal is a SQLite file: nothing to migrate\n")


async def test_what_postgres_says_in_several_lines_is_said_in_one(
    postgres: PostgresServer,
) -> None:
    role, name = f"kept_out_{uuid4().hex}", f"test_{uuid4().hex}"
    dsn = postgres.create_database(name)
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'poor'")
    await admin.execute(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
    kept_out = dsn.replace(f"{USER}:{QUOTED_PASSWORD}", f"{role}:poor")
    with pytest.raises(JournalUnavailable, match=r"DETAIL: .*grant its user") as caught:
        await Database(kept_out).connect()
    assert "\n" not in str(caught.value)
    await admin.execute(f"DROP ROLE {role}")
    await admin.close()


@pytest.mark.parametrize("process", ["worker", "api"])
async def test_processes_refuse_a_database_that_is_not_prepared(
    postgres: PostgresServer, process: str
) -> None:
    dsn = postgres.create_database(f"test_{uuid4().hex}")
    env = {NAME: dsn, "TEMPORAL_ADDRESS": "127.0.0.1:1", "RELAYLINE_API_PORT": "0"}
    ended = await relayline(process, env=env)
    assert ended.code == 1
    assert "run `relayline migrate`" in ended.err.splitlines()[-1]
    assert QUOTED_PASSWORD not in ended.err
