"""The page's own sources: small, in layers, and with nothing that reads text as HTML."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from relayline.contracts.access.audit import Action
from relayline.contracts.runs import RunStatus
from relayline.contracts.webhooks import TOLD_TYPES
from tests.web.page_files import ROOT, SCRIPTS, STYLES, WEB, imports

MAX_LINES = 300
MAX_COLUMNS = 100
MAX_FOLDER_FILES = 15
MAY_IMPORT = {
    "": {"parts", "views", "wire", "vendor"},
    "model": {"model"},
    "wire": {"wire", "vendor"},
    "parts": {"parts", "model", "wire", "vendor"},
    "state": {"state", "parts", "model", "wire", "vendor"},
    "views": {"views", "state", "parts", "model", "wire", "vendor"},
}
"""Which folders a folder's modules may import from."""
SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|"
    r"srcdoc|\beval\b|new Function|setTimeout\(\s*[\"'`]|[Dd]angerously"
)
"""What makes code or HTML of text."""
NOT_PURE = re.compile(r"\b(?:document|window|fetch|localStorage|Date\.now|Math\.random|location)\b")
_HOST = re.compile(r"(?:https?:)?//[a-z0-9]", re.IGNORECASE)


def room(path: Path) -> str:
    """The folder of `web/` that a module is in; empty for those at its top."""
    parts = path.relative_to(WEB).parts
    return parts[0] if len(parts) > 1 else ""


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES], ids=named)
def test_a_file_is_short(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= MAX_LINES
    assert max(map(len, lines)) <= MAX_COLUMNS


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_module_imports_what_is_there_and_below_it(path: Path) -> None:
    assert path.read_text().startswith("/* ")
    for target in imports(path):
        assert target.is_file(), f"{path} imports {target}"
        assert room(target) in MAY_IMPORT[room(path)], f"{path} imports {target}"


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_nothing_reads_text_as_html_or_code(path: Path) -> None:
    assert not SINKS.search(path.read_text())


@pytest.mark.parametrize("path", sorted((WEB / "model").glob("*.js")), ids=named)
def test_the_model_knows_no_document_and_no_clock(path: Path) -> None:
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.DOTALL)
    assert not NOT_PURE.search(code)


def test_nothing_comes_from_another_host() -> None:
    for path in (*SCRIPTS, *STYLES, WEB / "index.html"):
        assert not _HOST.search(path.read_text().replace("https?:\\/\\/", "")), path


def test_no_folder_has_too_many_files() -> None:
    full = Counter(path.parent for path in SCRIPTS)
    assert max(full.values()) <= MAX_FOLDER_FILES


def test_every_stylesheet_is_loaded() -> None:
    page = (WEB / "index.html").read_text()
    loaded = set(re.findall(r'href="%ROOT%/(style/[^"]*)"', page))
    assert loaded == {str(path.relative_to(WEB)) for path in STYLES}
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)


def listed(path: str, name: str) -> set[str]:
    """The texts of a list in a module."""
    found = re.search(rf"const {name} = [\[{{](.*?)[\]}}];", (WEB / path).read_text(), re.DOTALL)
    assert found
    return set(re.findall(r'"([^"]+)"', found[1]))


def test_what_one_may_choose_is_what_the_api_knows() -> None:
    assert listed("views/admin/new_webhook.js", "EVENTS") == {*TOLD_TYPES}
    assert listed("views/admin/audit.js", "ACTIONS") == {*Action}
    assert listed("views/admin/batches.js", "ORDER") == {*RunStatus}
