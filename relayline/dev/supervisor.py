"""Runs the children of `relayline dev`, and reports those that exit or keep dying."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from relayline.runtime.children.child import Child, ChildSpec
from relayline.runtime.children.health_watch import HealthWatch

START_S = 30.0
"""A child whose first process exits with `REFUSES` within this time can't do its work, unless it
was healthy before."""
REFUSES = 1
"""The exit code of a program that says why it can't work."""
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
            report: Called with a sentence when a child exits of its own accord, or keeps dying.
        """
        self.changed = changed
        self._log_dir = log_dir
        self._report = report
        self._reported: dict[str, str] = {}
        """By the child's name: its last words that were reported."""
        self.refusal = ""
        """Why a child can't do its work, if one can't."""
        self.refused = asyncio.Event()
        """Set with `refusal`."""
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
        """Report an exit with an error, or that a child keeps dying; the same words once."""
        name, words = child.spec.name, child.last_log_line()
        began = child.starts > 1 or child.worked or child.lived_s >= START_S
        if code == REFUSES and not began:
            self.refusal = self.refusal or f"{name} does not start, see {child.log}: {words}"
            self.refused.set()
        elif not child.exits and child.quick_deaths < DEATHS_TO_REPORT:
            self._reported.pop(name, None)
        elif self._reported.get(name) != words:
            self._reported[name] = words
            what = f"ended with exit code {code}" if child.exits else "keeps dying"
            self._report(f"{name} {what} and is started again, see {child.log}: {words}")

    def note(self, text: str) -> None:
        """Log what happened to a child."""
        try:
            with (self._log_dir / "dev.log").open("a") as log:
                log.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")
        except OSError as error:
            self._report(f"{text} ({self._log_dir} can't be written: {error.strerror})")
