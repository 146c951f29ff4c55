"""Watches the catalog's files and reports when they have changed to something that works."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from watchfiles import awatch

from relayline.dev.options import DevError
from relayline.runtime.children.child import leashed

CHECK_BOUND_S = 30.0
LOOK_S = 1.0
"""Seconds between two looks at the files where the system reports no change."""
_PREFIX = "relayline catalog: "

Files = frozenset[Path]


async def check_catalog(command: Sequence[str], data_dir: Path, keys: Mapping[str, str]) -> Files:
    """The files that the catalog is made from, once a process of its own has built it.

    That process also tells the API, through the journal, which agents there are.

    Args:
        command: The process.
        data_dir: The folder of the journal, unless that is elsewhere.
        keys: What tells the process of the keys that seal the catalog.

    Raises:
        DevError: it can't be used; the message says why.
    """
    process = await asyncio.create_subprocess_exec(
        *leashed(command),
        env={**os.environ, "RELAYLINE_DATA_DIR": str(data_dir), **keys},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(CHECK_BOUND_S):
            out, err = await process.communicate()
    except TimeoutError as error:
        raise DevError(
            f"the catalog (RELAYLINE_CATALOG) was not imported within {CHECK_BOUND_S:g} s: "
            "what does it wait for?"
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        words = err.decode(errors="replace").strip().splitlines() or [
            f"importing the catalog ended with exit code {process.returncode}"
        ]
        raise DevError(words[-1].removeprefix(_PREFIX))
    return frozenset(map(Path, json.loads(out.splitlines()[-1])))


_Stamps = Mapping[Path, tuple[int, int, int] | None]


@dataclass
class Reloader:
    """Restarts what holds the catalog whenever it has changed and can be used.

    A change that can't be used is reported, and everything continues with the catalog as it was.
    """

    files: Files
    """What the catalog in use was made from."""
    check: Callable[[], Awaitable[Files]]
    """Gives the files of the catalog as it is now; raises `DevError` if it can't be used."""
    restart: Callable[[], Awaitable[None]]
    report: Callable[[str], None]
    _broken: bool = False
    """True: any module that appears beside the files may be what was missing."""
    _seen: _Stamps = field(init=False)

    def __post_init__(self) -> None:
        """Take the files as they are now for those in use."""
        self._seen = self._stamps()

    async def run(self) -> None:
        """Follow the files until cancelled."""
        while True:
            names = await self._changed()
            self._seen = self._stamps()  # before the check: what is saved meanwhile comes next
            try:
                self.files = await self.check()
            except DevError as error:
                self._broken = True
                self.report(f"{names} changed: {error} (everything stays as it was)")
            else:
                self._broken = False
                await self.restart()
                self.report(f"{names} changed: the workers are started again")
            self._seen = {**self._stamps(), **self._seen}

    async def _changed(self) -> str:
        """Wait for a change of the files; the names of those that changed."""
        folders = [folder for folder in self._folders() if folder.is_dir()]
        wakes = awatch(
            *folders,
            watch_filter=None,
            recursive=False,
            rust_timeout=int(LOOK_S * 1000),
            yield_on_timeout=True,
        )
        async with contextlib.aclosing(wakes):
            async for _ in wakes:
                if names := self._differing():
                    break
        return names

    def _differing(self) -> str:
        now = self._stamps()
        paths = sorted(now.keys() | self._seen.keys())
        return ", ".join(p.name for p in paths if now.get(p) != self._seen.get(p))

    def _stamps(self) -> _Stamps:
        found = set(self.files)
        if self._broken:
            found |= {path for folder in self._folders() for path in folder.glob("*.py")}
        return {path: _stamp(path) for path in found}

    def _folders(self) -> set[Path]:
        return {path.parent for path in self.files}


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
