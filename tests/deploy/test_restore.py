"""Commands of docs/operate/deploy.md bring databases back as they were dumped, or do nothing."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayline.journal.postgres.sql import REVISION
from tests.deploy.files import ROOT
from tests.deploy.stand import Stand
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.stack

DEPLOY = (ROOT / "docs" / "operate" / "deploy.md").read_text()
DOCKER = """#!/bin/sh
[ "$2 $3 $4" = 'exec -T postgres' ] || exit 0
shift 4
PGHOST=127.0.0.1 PGPASSWORD={password} exec "$@"
"""
DUMP = "docker compose exec -T postgres pg_dump"
RESTORE = "docker compose stop proxy"
SAID = "SELECT text FROM public.said"
KEEP = "CREATE TABLE public.said AS SELECT 'before' AS text"
MOVE_ON = """
UPDATE public.said SET text = 'after';
CREATE TABLE relayline.notes (run_id text REFERENCES relayline.runs);
CREATE VIEW relayline.later AS SELECT * FROM relayline.runs;
"""
SCHEMA = "SELECT version_num FROM relayline.alembic_version"
ACCESS = "SELECT datname, datdba, datacl FROM pg_database WHERE datname NOT LIKE '%before'"


class Kept:
    """The three databases, the journal's with its schema, and commands of the docs for them."""

    def __init__(self, stand: Stand, password: str) -> None:
        self._stand = stand
        self._password = password
        docker = stand.folder / "docker"
        docker.write_text(DOCKER.format(password=password))
        docker.chmod(0o755)

    async def ask(self, query: str, database: str = "relayline") -> str:
        command = (f"--dbname={database}", f"--command={query}")
        return (await self._stand.psql(*command, user="postgres", password=self._password)).strip()

    async def follow(self, first_words: str) -> None:
        """Do what that block of commands says."""
        blocks = re.findall(r"^```sh\n(.*?)^```", DEPLOY, re.DOTALL | re.MULTILINE)
        [script] = [block for block in blocks if block.startswith(first_words)]
        await self._stand.shell(script, programs=self._stand.folder)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    with PostgresServer() as postgres:
        stand = Stand(tmp_path, postgres, "no Temporal here")
        password = await stand.make_superuser()
        await stand.make_databases("postgres", password)
        await stand.one_shot("migrate")
        kept = Kept(stand, password)
        await kept.ask(KEEP)
        yield kept


async def test_a_journal_whose_schema_has_moved_on_is_as_it_was_dumped(kept: Kept) -> None:
    access = sorted((await kept.ask(ACCESS)).splitlines())
    await kept.follow(DUMP)
    await kept.ask(MOVE_ON)
    await kept.follow(RESTORE)
    assert (await kept.ask(SAID), await kept.ask(SCHEMA)) == ("before", REVISION)
    assert await kept.ask("SELECT to_regclass('relayline.notes') IS NULL") == "t"
    assert sorted((await kept.ask(ACCESS)).splitlines()) == access
    owner = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'relayline'"
    assert await kept.ask(owner) == "relayline"
    assert await kept.ask(SAID, "relayline_before") == "after", "nothing is thrown away"


async def test_a_dump_that_fails_half_way_changes_none_of_them(kept: Kept) -> None:
    await kept.ask("CREATE ROLE passing; ALTER TABLE relayline.runs OWNER TO passing")
    await kept.follow(DUMP)
    await kept.ask("ALTER TABLE relayline.runs OWNER TO relayline; DROP ROLE passing")
    await kept.ask(MOVE_ON)
    with pytest.raises(AssertionError, match='database "relayline_restored" does not exist'):
        await kept.follow(RESTORE)
    assert await kept.ask(SAID) == "after"
    assert await kept.ask("SELECT count(*) FROM pg_database WHERE datname LIKE '%before'") == "0"
    await kept.ask("CREATE ROLE passing")
    await kept.follow(RESTORE)
    assert await kept.ask(SAID) == "before"
