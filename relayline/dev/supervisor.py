"""The children of `relayline dev`: their logs, and who is told when one keeps dying."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from relayline.runtime.children.child import Child, ChildSpec

DEATHS_TO_REPORT = 3
"""After so many quick deaths in a row people are told."""


class Supervisor:
    """Keeps children running; stops them in the reverse order of their start."""

    def __init__(
        self, log_dir: Path, changed: Callable[[], None], report: Callable[[str], None]
    ) -> None:
        """Supervise children that write `{log_dir}/{name}.log`.

        Args:
            log_dir: An existing folder; what happens to the children goes into its `dev.log`.
            changed: Called when a child has a new pid.
            report: Told, in a sentence, when a child keeps dying.
        """
        self.changed = changed
        self._log_dir = log_dir
        self._report = report
        self._reported: set[str] = set()
        self.children: list[Child] = []
        (log_dir / "dev.log").write_bytes(b"")

    async def start(self, spec: ChildSpec) -> Child:
        """Start a child and keep it running.

        Raises:
            OSError: no process could be made, or its log can't be written.
        """
        child = Child(spec, self, self._log_dir / f"{spec.name}.log")
        self.children.append(child)
        await child.start()
        return child

    async def stop(self) -> None:
        """Stop every child, the newest first; those of one kind together."""
        by_kind: dict[str, list[Child]] = {}
        for child in reversed(self.children):
            by_kind.setdefault(child.spec.kind, []).append(child)
        for kind in by_kind.values():
            await asyncio.gather(*(child.stop() for child in kind))

    async def kill(self) -> None:
        """End every child at once."""
        await asyncio.gather(*(child.kill() for child in self.children))

    def ended(self, child: Child, code: int) -> None:
        """Nothing to do: a note follows."""

    def note(self, text: str) -> None:
        """Write down what happened to a child; tell people of those that keep dying."""
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
