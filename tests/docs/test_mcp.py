"""The module of docs/mcp.md loads, and its table of effects and approvals is that of the code."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from relayline.catalog.load import load_catalog
from relayline.catalog.servers.mcp import McpServer
from relayline.contracts.mcp import Hints, approval_of, effects_of
from tests.docs.modules import importable
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "mcp.md"
ROWS = {
    "of an untrusted server": (Hints(read_only=True, destructive=False, idempotent=True), False),
    "trusted, read-only": (Hints(read_only=True), True),
    "trusted, idempotent, not destructive": (Hints(destructive=False, idempotent=True), True),
    "trusted, idempotent, destructive": (Hints(idempotent=True), True),
    "trusted, neither, not destructive": (Hints(destructive=False), True),
    "trusted, neither, destructive, or no hints at all": (Hints(), True),
}


def test_the_module_of_the_page_loads(tmp_path: Path) -> None:
    with importable("handbook", "\n".join(blocks(PAGE, "python")), tmp_path):
        catalog = load_catalog("handbook", [], "rehearsal")
    assert catalog.agents["clerk"].mcp == ("git", "docs")


def test_the_table_says_what_the_code_does() -> None:
    text = PAGE.read_text()
    for name, (hints, trusted) in ROWS.items():
        effects = effects_of(hints, trusted=trusted)
        approval = approval_of(hints, trusted=trusted)
        assert f"| {name} | {effects} | {approval} |" in text


def test_the_page_has_every_field_of_a_server() -> None:
    text = PAGE.read_text()
    for field in fields(McpServer):
        assert field.name == "name" or f"`{field.name}`" in text
