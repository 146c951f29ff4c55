"""The few limits of our style: short functions, short files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SKIPPED = {".venv", ".relayline", "build", "dist"}
MAX_FUNCTION_LINES = 40
MAX_FILE_LINES = 300
SOURCES = sorted(
    path for path in ROOT.rglob("*.py") if not SKIPPED & set(path.relative_to(ROOT).parts)
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_and_its_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES, f"{path}: split the file"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= MAX_FUNCTION_LINES, (
                f"{path}:{node.lineno} {node.name} has {lines} lines"
            )
