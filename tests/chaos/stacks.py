"""What a campaign is played on: processes, their addresses, and the journal that they share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from temporalio.client import Client

from journal.port import Journal
from journal.sqlite import SqliteJournal
from tests.chaos.agents import FOLDER, MODULE
from tests.chaos.cluster import Cluster, JournalServer
from tests.dev_stack import DevStack


class Stack(Protocol):
    """Temporal, workers and API processes, each started again when it dies."""

    data_dir: Path

    @property
    def api_urls(self) -> Sequence[str]:
        """Where each API process listens."""
        ...

    @property
    def journal(self) -> str:
        """The journal's address, as `RELAYLINE_JOURNAL` takes it."""
        ...

    @property
    def journal_server(self) -> JournalServer | None:
        """The journal's own server, None for a file."""
        ...

    def pids_of(self, target: str) -> list[int]:
        """The processes of that kind: `worker`, `api` or `temporal`."""
        ...

    async def temporal(self) -> Client:
        """A client of its Temporal."""
        ...


def opened(stack: Stack) -> Journal:
    """The journal of the stack, to read from; close it."""
    return SqliteJournal(Path(stack.journal))


def settings(data_dir: Path) -> dict[str, str]:
    """The agent `chaos`, whose tools leave their lines in a folder that is made here."""
    effects = data_dir / "effects"
    effects.mkdir(parents=True)
    return {FOLDER: str(effects), "RELAYLINE_CATALOG": MODULE, "RELAYLINE_HEARTBEAT_S": "5"}


def chaos_stack(data_dir: Path, **env: str) -> DevStack:
    """A `relayline dev` with two workers and the agent `chaos`; not yet started."""
    return DevStack(data_dir, "--workers", "2", **settings(data_dir), **env)


def chaos_cluster(
    data_dir: Path, apis: int, workers: int, server: JournalServer | None = None, journal: str = ""
) -> Cluster:
    """That many processes of each kind with the agent `chaos`; not yet started.

    Args:
        data_dir: A folder that does not exist.
        apis: API processes.
        workers: Workers.
        server: What serves the journal, if it has a server; it is started already.
        journal: The journal's address; a file in `data_dir` if there is none.
    """
    env = settings(data_dir)
    return Cluster(data_dir, apis=apis, workers=workers, server=server, journal=journal, env=env)
