"""Secrets in the files root are hidden from every file tool, by whatever path."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from relayline.activities.tool.toolbox import ToolboxConfig
from relayline.activities.tool.toolbox.folder import Folder
from relayline.catalog.tools import Tool, ToolError
from relayline.runtime.settings import Settings
from relayline.wiring import build_catalog
from tests.activities.tool.toolbox.conftest import FakeContext, named

HIDDEN = [
    *(".env", ".env.local", ".ENV", "sub/.Env.production", ".netrc", ".pgpass"),
    *(".git/config", ".GIT/config", "sub/.git", ".ssh/config", ".aws/credentials"),
    *("prod.env", "sub/X.ENV", ".npmrc", ".pypirc", "store.jks", "putty.ppk"),
    *("server.pem", "sub/TLS.KEY", "id_rsa", "id_rsa.pub", "id_ed25519", "id_ecdsa", "id_dsa"),
    *(
        "data/journal.db",
        "data/logs/api.log",
        "elsewhere.db-files/00/file_0",
        "elsewhere.db",
        "elsewhere.db-wal",
    ),
]
VISIBLE = ["id_card.txt", "environment.md", ".github/ci.yml", "keys.md", "sub/gitlog", "monkey"]


@pytest.fixture
def tools(root: Path) -> dict[str, Tool]:
    """The tools of an installation whose data folder and journal are in the files root."""
    for path in (*HIDDEN, *VISIBLE):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("needle")
    settings = Settings(
        files_root=root, data_dir=root / "data", journal=str(root / "elsewhere.db"), catalog=""
    )
    return named(ToolboxConfig(files_root=root, hidden=settings.own_files))


def test_a_worker_hides_its_data_folder(root: Path) -> None:
    (root / "data").mkdir()
    tools = build_catalog(Settings(files_root=root, data_dir=root / "data")).tools
    assert all("is hidden" in said for said in every_tool(dict(tools), "data"))


def test_another_name_of_the_journal_is_as_hidden(tools: dict[str, Tool], root: Path) -> None:
    for name in ("data/logs/api.log", "elsewhere.db"):
        os.link(root / name, root / "innocent.txt")
        for call in (["read_file"], ["write_file", "content"]):
            more = dict.fromkeys(call[1:], "x")
            with pytest.raises(ToolError, match=r"no file|can't be written|is hidden"):
                tools[call[0]].function(FakeContext(), path="innocent.txt", **more)
        assert (root / name).read_text() == "needle"
        os.unlink(root / "innocent.txt")
    os.link(root / "keys.md", root / "twin.md")
    assert tools["read_file"].function(FakeContext(), path="twin.md") == "needle"


def every_tool(tools: dict[str, Tool], path: str) -> list[str]:
    """What each file tool says of that path."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("read_file", {"path": path}),
        ("write_file", {"path": path, "content": "x"}),
        ("search_files", {"path": path, "query": "needle"}),
    ]
    said = []
    for name, arguments in calls:
        with pytest.raises(ToolError) as refusal:
            tools[name].function(FakeContext(), **arguments)
        assert not refusal.value.retryable
        said.append(str(refusal.value))
    return said


@pytest.mark.parametrize("path", HIDDEN)
def test_a_hidden_file_is_refused_by_every_tool(
    tools: dict[str, Tool], root: Path, path: str
) -> None:
    assert all(f"{path!r} is hidden" in said for said in every_tool(tools, path))
    assert (root / path).read_text() == "needle"


@pytest.mark.parametrize("link", ["harmless.txt", "sub/harmless"])
def test_a_link_to_a_secret_is_as_hidden_as_the_secret(
    tools: dict[str, Tool], root: Path, link: str
) -> None:
    (root / link).symlink_to(root / ".env")
    (root / "folder").symlink_to(root / "data")
    assert all("is hidden" in said for said in every_tool(tools, link))
    assert all("is hidden" in said for said in every_tool(tools, "folder/journal.db"))


@pytest.mark.parametrize("path", [".env.new", "sub/.git/hooks/pre-commit", "data/x", "new.pem"])
def test_a_secret_can_not_be_made_either(tools: dict[str, Tool], root: Path, path: str) -> None:
    (root / "sub" / ".git").unlink()
    with pytest.raises(ToolError, match="is hidden"):
        tools["write_file"].function(FakeContext(), path=path, content="x")
    assert not (root / path).exists()


def test_what_only_looks_like_a_secret_is_seen(
    tools: dict[str, Tool], context: FakeContext
) -> None:
    for path in VISIBLE:
        assert tools["read_file"].function(FakeContext(), path=path) == "needle"
    found = str(tools["search_files"].function(context=context, query="needle"))
    seen = {path for path in VISIBLE if not path.startswith(".")}
    assert {line.partition(":")[0] for line in found.splitlines()} == seen


def test_the_listing_of_a_folder_leaves_out_what_is_hidden(tools: dict[str, Tool]) -> None:
    with pytest.raises(ToolError) as listing:
        tools["read_file"].function(FakeContext(), path=".")
    names = str(listing.value).partition("it contains: ")[2]
    assert names == ".github/, environment.md, id_card.txt, keys.md, monkey, sub/"


def test_a_root_that_is_the_data_folder_hides_only_relaylines_own_files(root: Path) -> None:
    (root / "journal.db").write_text("x")
    (root / "note").write_text("x")
    hidden = Settings(data_dir=root, files_root=root).own_files
    tools = named(ToolboxConfig(files_root=root, hidden=hidden))
    assert tools["read_file"].function(FakeContext(), path="note") == "x"
    with pytest.raises(ToolError, match="is hidden"):
        tools["read_file"].function(FakeContext(), path="journal.db")


@pytest.mark.parametrize("path", ["f", "d/f"])
def test_a_link_that_is_swapped_in_after_the_check_is_not_followed(root: Path, path: str) -> None:
    secret = root.parent / "secret"
    secret.mkdir()
    (secret / "f").write_text("SECRET")
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text("fine")
    with Folder(root).view() as view:
        parts = view.parts(path)
        (root / path).unlink()
        if path == "f":
            (root / "f").symlink_to(secret / "f")
        else:
            (root / "d").rmdir()
            (root / "d").symlink_to(secret)
        with pytest.raises(OSError), view.open(parts):  # noqa: PT011  what it says is Linux's
            pass
        if path == "d/f":
            with pytest.raises(NotADirectoryError):
                view.replace(parts, b"x", "draft")
    assert (secret / "f").read_text() == "SECRET"


@pytest.mark.parametrize("tool", ["read_file", "write_file"])
def test_only_regular_files_are_opened(tools: dict[str, Tool], root: Path, tool: str) -> None:
    os.mkfifo(root / "pipe")
    arguments = {"path": "pipe"} | ({"content": "x"} if tool == "write_file" else {})
    with pytest.raises(ToolError):
        tools[tool].function(FakeContext(), **arguments)
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)


def test_a_name_of_many_bytes_is_written(tools: dict[str, Tool], root: Path) -> None:
    name = "ü" * 120
    tools["write_file"].function(FakeContext(), path=name, content="x")
    assert (root / name).read_text() == "x"
