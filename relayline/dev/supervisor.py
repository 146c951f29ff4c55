"""Runs the children of `relayline dev`, and reports those that keep dying."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from relayline.runtime.children.child import Child, ChildSpec
from relayline.runtime.children.health_watch import HealthWatch

DEATHS_TO_REPORT = 3
"""Quick deaths in a row after which a child is reported."""


class Supervisor:
    """Keeps children running; stops them in the reverse order of their start."""

    def __init__(
        self, log_dir: Path, changed: Callable[[], None], report: Callable[[str], None]
    ) -> None:
        """Supervise children that write `{log_dir}/{name}.log`.

        Args:
            log_dir: An existing folder; its `dev.log` records what happens to the children.
            changed: Called when a child has a new pid.
            report: Called with a sentence when a child keeps dying.
        """
        self.changed = changed
        self._log_dir = log_dir
        self._report = report
        self._reported: set[str] = set()
        self._watches: list[asyncio.Task[None]] = []
        self.children: list[Child] = []
        (log_dir / "dev.log").write_bytes(b"")

    async def start(self, spec: ChildSpec) -> Child:
        """Start a child and keep it running, and at work if it has a port for its health.

        Raises:
            OSError: the process can't be started, or its log can't be written.
        """
        child = Child(spec, self, self._log_dir / f"{spec.name}.log")
        self.children.append(child)
        await child.start()
        if spec.health_port:
            watch = HealthWatch(child, spec.health_port)
            self._watches.append(asyncio.create_task(watch.run(), name=f"health {spec.name}"))
        return child

    async def stop(self) -> None:
        """Stop every child, the newest first; children of one kind together."""
        self._watch_no_more()
        by_kind: dict[str, list[Child]] = {}
        for child in reversed(self.children):
            by_kind.setdefault(child.spec.kind, []).append(child)
        for kind in by_kind.values():
            await asyncio.gather(*(child.stop() for child in kind))

    async def kill(self) -> None:
        """Kill every child at once."""
        self._watch_no_more()
        await asyncio.gather(*(child.kill() for child in self.children))

    def _watch_no_more(self) -> None:
        for watch in self._watches:
            watch.cancel()

    def ended(self, child: Child, code: int) -> None:
        """Do nothing: a note follows."""

    def note(self, text: str) -> None:
        """Log what happened to a child; report children that keep dying."""
        try:
            with (self._log_dir / "dev.log").open("a") as log:
                log.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")
        except OSError as error:
            self._report(f"{text} ({self._log_dir} can't be written: {error.strerror})")
        for child in self.children:
            name = child.spec.name
            if child.quick_deaths < DEATHS_TO_REPORT:
                self._reported.discard(name)
            elif name not in self._reported:
                self._reported.add(name)
                self._report(f"{name} keeps dying, see {child.log}: {child.last_log_line()}")
