"""The catalog of `relayline dev`: checked before anything starts, loaded again when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from relayline.dev.options import Commands, DevError
from relayline.dev.reload import Files, Reloader, check_catalog
from relayline.dev.stack import run_dev
from tests.dev.dev_process import options, until

MODULE = "shop_of_these_tests"


def write_catalog(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> Path:
    """A catalog module in the current folder of the children."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RELAYLINE_CATALOG", MODULE)
    (folder / f"{MODULE}.py").write_text(source)
    return folder / f"{MODULE}.py"


async def test_the_files_are_the_modules_and_what_they_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = write_catalog(
        tmp_path,
        monkeypatch,
        "import csv, jsonschema, part.tea\n"
        "from relayline import Agent\n"
        "print('[]')\n"
        "clerk = Agent('clerk', open('prompts/clerk.md').read(), tools=['read_file'])\n"
        "open('written.txt', 'w').write('x'); open('.secret').read()\n",
    )
    (tmp_path / ".secret").touch()
    files = [tmp_path / "part" / name for name in ("__init__.py", "tea.py")]
    files.append(tmp_path / "prompts" / "clerk.md")
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    assert await check_catalog(Commands().catalog, tmp_path / "data", {}) == {module, *files}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import of_nowhere", "can't be imported: No module named 'of_nowhere'; install what"),
        ("import sys; sys.exit('not today')", "can't be imported: SystemExit: not today;"),
        ("raise OSError('two\\nlines')", "can't be imported: OSError: two lines;"),
        ("import os; os._exit(3)", "importing the catalog ended with exit code 3"),
    ],
)
async def test_a_catalog_that_can_not_be_used_ends_dev_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, words: str
) -> None:
    write_catalog(tmp_path, monkeypatch, source)
    with pytest.raises(DevError) as caught:
        await run_dev(options(tmp_path / "data", catalog=MODULE))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "data" / "logs").iterdir()) == []


class Dev:
    """What a reloader does, with a check that reads no modules: a file with `bad` in it fails."""

    def __init__(self, *files: Path) -> None:
        self.said: list[str] = []
        self.restarts = 0
        self.during: Callable[[], None] = lambda: None
        """What happens while the catalog is checked."""
        self.reloader = Reloader(frozenset(files), self.check, self.restart, self.said.append)

    async def check(self) -> Files:
        texts = [file.read_text() for file in self.reloader.files]
        during, self.during = self.during, lambda: None
        during()
        if "bad" in texts:
            raise DevError("it is bad")
        return self.reloader.files

    async def restart(self) -> None:
        self.restarts += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.reloader.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agents.py"
    save(path, "good")
    return path


def save(file: Path, text: str) -> None:
    file.write_text(text)


async def test_each_change_restarts_once_and_other_files_do_not(file: Path) -> None:
    dev = Dev(file)
    async with dev.running():
        file.with_name("output.py").touch()
        save(file, "better")
        await until(lambda: dev.restarts == 1, 10)
        file.with_name("fresh").write_text("as editors save")
        file.with_name("fresh").replace(file)
        await until(lambda: dev.restarts == 2, 10)
        await asyncio.sleep(1.2)
    assert dev.restarts == 2
    assert dev.said == ["agents.py changed: the workers are started again"] * 2


async def test_a_change_before_the_watch_and_one_during_the_check_count(file: Path) -> None:
    dev = Dev(file)
    save(file, "better")
    dev.during = lambda: save(file, "best of all")
    async with dev.running():
        await until(lambda: dev.restarts == 2, 10)


async def test_a_change_that_can_not_be_used_is_told_and_leaves_everything_at_work(
    file: Path,
) -> None:
    dev = Dev(file)
    async with dev.running():
        save(file, "bad")
        await until(lambda: bool(dev.said), 10)
        assert dev.said == ["agents.py changed: it is bad (everything stays as it was)"]
        assert dev.restarts == 0
        file.with_name("missing.py").touch()
        await until(lambda: len(dev.said) == 2, 10)
        assert dev.said[1].startswith("missing.py changed: it is bad")
        save(file, "mended")
        await until(lambda: dev.restarts == 1, 10)
