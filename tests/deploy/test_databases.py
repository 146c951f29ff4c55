"""deploy/postgres-init.sql makes what Temporal and Relayline need, and changes passwords."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.deploy.files import environment
from tests.deploy.stand import SERVICES, Stand
from tests.postgres_server import PostgresServer

GIVEN = environment(SERVICES["postgres"])
OWNED = {"relayline": "relayline", "temporal": "temporal", "temporal_visibility": "temporal"}
MANAGED = {"user": "admin_of_a_cloud", "password": "its-own"}


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """An empty server."""
    with PostgresServer() as postgres:
        yield Stand(tmp_path, postgres, "no Temporal here")


async def _owners(stand: Stand, *, user: str, password: str) -> dict[str, str]:
    """The databases that one of ours sees from its own, and who owns them."""
    owners = "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE NOT datistemplate"
    where = (f"--dbname={user}", f"--command={owners}")
    rows = (await stand.psql(*where, user=user, password=password)).splitlines()
    found = dict(row.split("|") for row in rows)
    return {name: owner for name, owner in found.items() if name != "postgres"}


async def _refused(stand: Stand, why: str, database: str, *, user: str, password: str) -> None:
    where = (f"--dbname={database}", "--command=SELECT 1")
    with pytest.raises(AssertionError, match=why):
        await stand.psql(*where, user=user, password=password)


async def _separate(stand: Stand, temporal: str, relayline: str) -> None:
    """Each of the two sees its own databases and not the other's."""
    assert await _owners(stand, user="temporal", password=temporal) == OWNED
    assert await _owners(stand, user="relayline", password=relayline) == OWNED
    why = "permission denied for database"
    await _refused(stand, why, "relayline", user="temporal", password=temporal)
    await _refused(stand, why, "temporal", user="relayline", password=relayline)


async def test_the_databases_belong_to_those_who_use_them(stand: Stand) -> None:
    password = await stand.make_superuser()
    for _ in range(2):
        await stand.make_databases("postgres", password)
    await _separate(stand, GIVEN["TEMPORAL_DB_PASSWORD"], GIVEN["RELAYLINE_DB_PASSWORD"])


async def test_the_admin_of_a_managed_server_who_is_no_superuser_can_make_them(
    stand: Stand,
) -> None:
    password = await stand.make_superuser()
    role = "CREATE ROLE {user} LOGIN NOSUPERUSER CREATEROLE CREATEDB PASSWORD '{password}'"
    made = ("--dbname=postgres", f"--command={role.format(**MANAGED)}")
    await stand.psql(*made, user="postgres", password=password)
    for _ in range(2):  # an empty password is none here
        await stand.make_databases(**MANAGED, ADMIN_DB_PASSWORD="")
    await _separate(stand, GIVEN["TEMPORAL_DB_PASSWORD"], GIVEN["RELAYLINE_DB_PASSWORD"])


async def test_passwords_are_changed_by_running_it_again(stand: Stand) -> None:
    variables = {"postgres": "ADMIN_DB_PASSWORD"}
    variables |= {name: f"{name.upper()}_DB_PASSWORD" for name in ("temporal", "relayline")}
    admin = await stand.make_superuser()
    await stand.make_databases("postgres", admin)
    changed = {variable: f"new-{name}" for name, variable in variables.items()}
    await stand.make_databases("postgres", admin, **changed)
    for name, variable in variables.items():
        why = "password authentication failed"
        await _refused(stand, why, name, user=name, password=GIVEN[variable])
        where = (f"--dbname={name}", "--command=SELECT 1")
        said = await stand.psql(*where, user=name, password=changed[variable])
        assert said.strip() == "1"


@pytest.mark.parametrize("missing", ["TEMPORAL_DB_PASSWORD", "RELAYLINE_DB_PASSWORD"])
async def test_without_a_password_it_says_so_and_changes_nothing(
    stand: Stand, missing: str
) -> None:
    password = await stand.make_superuser()
    with pytest.raises(AssertionError, match=f"set .*{missing}.*nothing was changed"):
        await stand.make_databases("postgres", password, **{missing: ""})
    roles = "SELECT rolname FROM pg_roles WHERE rolname IN ('temporal', 'relayline')"
    where = ("--dbname=postgres", f"--command={roles}")
    assert await stand.psql(*where, user="postgres", password=password) == ""
