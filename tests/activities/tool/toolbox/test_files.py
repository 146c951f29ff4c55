"""The file tools see one folder and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.activities.tool.toolbox.files import file_tools
from relayline.activities.tool.toolbox.folder import Folder
from relayline.catalog.tools import Tool, ToolError
from tests.activities.tool.toolbox.conftest import FakeContext


def read(tools: dict[str, Tool], **arguments: Any) -> str:
    return str(tools["read_file"].function(FakeContext(), **arguments))


@pytest.fixture
def outside(root: Path) -> Path:
    """Files beside the root and links from the root to them."""
    secret = root.parent / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("hidden")
    (root / "folder_link").symlink_to(secret)
    (root / "file_link").symlink_to(secret / "key.txt")
    (root / "loop").symlink_to(root / "loop")
    return secret


ESCAPES = ["../secret/key.txt", "folder_link/key.txt", "file_link", "a/../../secret/key.txt"]


@pytest.mark.parametrize("path", ESCAPES)
def test_a_path_out_of_the_root_is_refused_by_every_file_tool(
    tools: dict[str, Tool], outside: Path, context: FakeContext, path: str
) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("read_file", {"path": path}),
        ("write_file", {"path": path, "content": "x"}),
        ("search_files", {"path": path, "query": "hidden"}),
    ]
    for name, arguments in calls:
        with pytest.raises(ToolError) as refusal:
            tools[name].function(context, **arguments)
        assert repr(path) in str(refusal.value)
        assert "outside" in str(refusal.value)
        assert not refusal.value.retryable
    assert (outside / "key.txt").read_text() == "hidden"


def test_an_absolute_path_is_refused_outside_and_taken_inside(
    tools: dict[str, Tool], outside: Path, root: Path
) -> None:
    (root / "in.txt").write_text("in")
    assert read(tools, path=str(root / "in.txt")) == "in"
    with pytest.raises(ToolError, match="outside"):
        read(tools, path=str(outside / "key.txt"))


@pytest.mark.parametrize("path", ["loop", "a\0b", "x" * 5000])
def test_what_is_no_path_is_refused(tools: dict[str, Tool], outside: Path, path: str) -> None:
    with pytest.raises(ToolError):
        read(tools, path=path)


def test_a_missing_file_is_named(tools: dict[str, Tool]) -> None:
    with pytest.raises(ToolError, match=r"'no\.txt'"):
        read(tools, path="no.txt")


def test_a_folder_is_answered_with_what_is_in_it(tools: dict[str, Tool], root: Path) -> None:
    (root / "docs").mkdir()
    (root / "a.md").touch()
    with pytest.raises(ToolError, match=r"a\.md, docs/"):
        read(tools, path=".")


def test_a_pipe_is_not_waited_for(tools: dict[str, Tool], root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(ToolError, match="no file"):
        read(tools, path="pipe")


def test_a_binary_file_is_refused(tools: dict[str, Tool], root: Path) -> None:
    (root / "image").write_bytes(b"\x89PNG\0\0")
    with pytest.raises(ToolError, match="not a text file"):
        read(tools, path="image")


def test_a_file_that_can_not_be_read_says_why() -> None:
    read_file, _ = file_tools(Folder(Path("/proc/self")))
    with pytest.raises(ToolError, match="'mem' can't be read"):
        read_file.function(FakeContext(), path="mem")


@pytest.mark.slow
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0")), limit=st.integers(4, 9))
def test_reading_on_at_each_cut_gives_the_whole_text(
    tmp_path_factory: pytest.TempPathFactory, text: str, limit: int
) -> None:
    root = tmp_path_factory.mktemp("read")
    (root / "f").write_bytes(text.encode())
    read_file, _ = file_tools(Folder(root))
    parts, offset = [], 0
    while True:
        part = str(read_file.function(FakeContext(), path="f", offset=offset, limit=limit))
        head, cut, tail = part.rpartition("\n[cut at byte ")
        if not cut or not tail.endswith("]"):
            parts.append(part)
            break
        parts.append(head)
        offset = int(tail.rpartition("=")[2].rstrip("]"))
    assert "".join(parts) == text


def test_a_written_file_is_whole_keeps_its_mode_and_leaves_no_draft(
    tools: dict[str, Tool], root: Path
) -> None:
    script = root / "run.sh"
    script.write_text("old")
    script.chmod(0o750)
    tools["write_file"].function(FakeContext(), path="run.sh", content="neu ü")
    tools["write_file"].function(FakeContext(), path="deep/er/new.txt", content="x")
    assert script.read_text(encoding="utf-8") == "neu ü"
    assert script.stat().st_mode & 0o777 == 0o750
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) == [
        "deep/er/new.txt",
        "run.sh",
    ]


def test_what_can_not_be_written_is_named(tools: dict[str, Tool], root: Path) -> None:
    (root / "file").touch()
    for path in ("file/below", "."):
        with pytest.raises(ToolError, match=r"can't be written"):
            tools["write_file"].function(FakeContext(), path=path, content="x")
    assert [path.name for path in root.iterdir()] == ["file"]


@pytest.mark.parametrize("offset", [5, 2**63, 10**30])
def test_there_is_nothing_behind_the_end(root: Path, tools: dict[str, Tool], offset: int) -> None:
    (root / "short.txt").write_text("short")
    assert tools["read_file"].function(FakeContext(), path="short.txt", offset=offset) == ""
