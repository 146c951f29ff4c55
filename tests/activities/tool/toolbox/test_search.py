"""`search_files` finds lines, and its answer is bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from relayline.activities.tool.toolbox.folder import Folder
from relayline.activities.tool.toolbox.search import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_MATCHES,
    search_files_in,
)
from relayline.catalog.tools import Tool, ToolError
from tests.activities.tool.toolbox.conftest import FakeContext


@pytest.fixture
def found(tools: dict[str, Tool], context: FakeContext) -> Any:
    return lambda **arguments: str(tools["search_files"].function(context=context, **arguments))


def test_lines_are_found_with_path_and_number_whatever_their_case(root: Path, found: Any) -> None:
    (root / "docs").mkdir()
    (root / "docs" / "a.md").write_text("one\n  Two Ärger  \n")
    (root / "b.txt").write_text("TWO\n")
    assert found(query="two") == "b.txt:1: TWO\ndocs/a.md:2: Two Ärger"
    assert found(query="äRGER") == "docs/a.md:2: Two Ärger"
    assert found(query="two", glob="*.md") == "docs/a.md:2: Two Ärger"
    assert found(query="two", path="docs") == "docs/a.md:2: Two Ärger"
    assert found(query="two", path="b.txt") == "b.txt:1: TWO"
    assert found(query="three") == "no match in 2 files"


def test_hidden_generated_binary_huge_and_linked_files_are_skipped(root: Path, found: Any) -> None:
    for folder in (".git", ".venv", "node_modules"):
        (root / folder).mkdir()
        (root / folder / "f").write_text("needle")
    (root / "binary").write_bytes(b"needle\0")
    (root / "huge").write_text("needle" + " " * MAX_FILE_BYTES)
    secret = root.parent / "secret"
    secret.write_text("needle")
    (root / "link").symlink_to(secret)
    assert found(query="needle") == "no match in 2 files"


def test_the_answer_is_bounded_in_matches_and_in_the_length_of_lines(
    root: Path, found: Any
) -> None:
    (root / "many").write_text("needle\n" * (MAX_MATCHES + 1))
    lines = found(query="needle").splitlines()
    assert len(lines) == MAX_MATCHES + 1
    assert "stopped after" in lines[-1]
    (root / "many").write_text("needle" + "x" * 1000)
    assert len(found(query="needle")) < 300


def test_a_search_stops_when_the_run_is_cancelled(
    root: Path, found: Any, context: FakeContext
) -> None:
    (root / "f").touch()
    context.cancel()
    with pytest.raises(ToolError, match="cancelled"):
        found(query="x")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"query": " "}, "empty"), ({"query": "x", "path": "nowhere"}, "'nowhere'")],
)
def test_a_search_that_makes_no_sense_is_refused(
    found: Any, arguments: dict[str, str], said: str
) -> None:
    with pytest.raises(ToolError, match=said):
        found(**arguments)


def test_a_search_in_too_many_files_says_where_it_stopped(root: Path, found: Any) -> None:
    for number in range(MAX_FILES + 1):
        (root / str(number)).touch()
    assert found(query="x") == f"[stopped after {MAX_FILES} files: give a folder or a glob]"


def test_a_file_that_can_not_be_read_is_passed_over(context: FakeContext) -> None:
    search = search_files_in(Folder(Path("/proc/self")))
    assert search.function(context=context, query="x", path="mem") == "no match in 1 files"
