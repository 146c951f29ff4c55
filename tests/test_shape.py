"""The few limits of our style: short functions, short files, folders that are easy to overlook."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SKIPPED = {".venv", ".relayline", "build", "dist"}
MAX_FUNCTION_LINES = 40
MAX_FILE_LINES = 300
MAX_FOLDER_FILES = 15
SOURCES = sorted(
    path
    for top in ROOT.iterdir()
    if top.name not in SKIPPED
    for path in (top.rglob("*.py") if top.is_dir() else [top])
    if path.suffix == ".py" and not SKIPPED & set(path.relative_to(ROOT).parts)
)
WINGS = ("relayline", "api", "activities", "workflows")
PRODUCT = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in {*WINGS, "worker.py"}]
MODULES = [path for path in PRODUCT if path.name != "__init__.py"]
FLOORS = {
    "activities/call": ("model", "tool"),
    "activities/connection": ("model/providers", "tool/mcp"),
    "activities/failures": ("model/providers/wire", "tool/mcp"),
    "activities/output": ("tool", "tool/mcp"),
    "activities/port": ("model", "tool/mcp"),
    "api/batches": ("routes", "runs"),
    "api/conversations": ("routes", "runs"),
    "api/quotas": ("routes", "runs/admission"),
    "api/schedules": ("routes", "runs", "temporal"),
    "api/decisions": ("commands", "routes"),
    "api/events": ("routes", "streams"),
    "api/outcomes": ("commands", "routes"),
    "api/server": ("routes", "serving"),
    "relayline/batches": ("contracts/submissions", "journal", "journal/postgres", "journal/sqlite"),
    "relayline/fork": ("console/commands/forks", "contracts/events"),
    "relayline/forks": ("client", "contracts/submissions"),
    "relayline/past": ("contracts/runs", "projections/forks"),
    "relayline/api_keys": ("contracts/access", "journal/access"),
    "relayline/audit": ("console/commands", "contracts/access", "journal/access"),
    "relayline/beats": ("journal", "journal/postgres", "journal/sqlite"),
    "relayline/calls": ("client", "contracts"),
    "relayline/commands": ("client", "contracts"),
    "relayline/erasures": ("journal", "journal/postgres", "journal/sqlite"),
    "relayline/errors": ("client", "contracts"),
    "relayline/journal": ("journal/postgres", "journal/sqlite"),
    "relayline/keys": ("console/tty", "contracts"),  # of a keyboard; of events
    "relayline/options": ("console", "dev"),
    "relayline/quotas": ("contracts/access", "journal/access"),
    "relayline/run": ("client", "console/commands", "contracts/events"),
    "relayline/run_rows": ("journal/postgres", "journal/sqlite"),
    "relayline/sql": ("journal/postgres", "journal/sqlite"),
    "relayline/steer": ("console", "console/commands"),
    "relayline/table": ("journal", "journal/postgres", "journal/sqlite"),
    "relayline/tools": ("catalog", "contracts/mcp"),
    "relayline/terminal": ("journal", "projections"),
    "relayline/watcher": ("journal/postgres", "journal/sqlite/watch"),
    "relayline/webhooks": ("client", "contracts", "journal", "journal/postgres", "journal/sqlite"),
    "relayline/writer": ("journal/postgres", "journal/sqlite"),
}
"""Files of one wing that may share a name, with their folders: the same thing on several floors."""
BARE = {
    *("activities", "api", "catalog", "cli", "console", "contracts", "embedded", "housekeeper"),
    *("journal", "providers", "settings", "supervision", "temporal_client", "temporal_namespace"),
    *("toolbox", "wiring", "worker", "workflows"),
}
"""What our packages and modules were once called, and what others may call theirs."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_says_what_lives_there_is_short_and_imports_by_full_names(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MAX_FILE_LINES, f"{path}: split the file"
    assert not tree.body or ast.get_docstring(tree), f"{path}: begin with a docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= MAX_FUNCTION_LINES, (
                f"{path}:{node.lineno} {node.name} has {lines} lines"
            )
        bare = [name for name in imported(node) if name.partition(".")[0] in BARE]
        assert not bare, f"{path}: import {bare} from relayline"


def imported(node: ast.AST) -> list[str]:
    """The modules that the statement imports, none if it is no import."""
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_no_folder_of_the_product_has_too_many_files() -> None:
    folders = (path.parent.relative_to(ROOT) for path in MODULES)
    files = Counter(folder for folder in folders if folder.name != "versions")  # of the schema
    assert len(files) > len(WINGS)
    full = {
        f"{folder}: {count}"
        for folder, count in files.items()
        if count > MAX_FOLDER_FILES and folder.name != "versions"  # of a schema, which only grow
    }
    assert not full, "make sub-packages"


def test_two_files_of_a_wing_share_a_name_only_where_they_are_one_thing_on_two_floors() -> None:
    found = defaultdict(set)
    for path in MODULES:
        wing, *folders = path.relative_to(ROOT).parts[:-1] or ("worker",)
        found[f"{wing}/{path.stem}"].add("/".join(folders))
    shared = {name: folders for name, folders in found.items() if len(folders) > 1}
    assert shared
    unknown = {name: fs for name, fs in shared.items() if not fs <= {*FLOORS.get(name, ())}}
    assert not unknown, "name each after the thing in it"
