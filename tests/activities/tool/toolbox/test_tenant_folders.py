"""With authentication on, each tenant has files of its own; the tenant `default` has the root."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from relayline.activities.tool.toolbox import ToolboxConfig
from relayline.activities.tool.toolbox.folder import TENANTS
from relayline.catalog.tools import Tool, ToolError
from relayline.runtime.settings import Settings
from relayline.wiring import build_catalog
from tests.activities.tool.toolbox.conftest import FakeContext, named

ACME, BETA, DEFAULT = FakeContext("acme"), FakeContext("beta"), FakeContext()


@pytest.fixture
def apart(root: Path) -> dict[str, Tool]:
    return named(ToolboxConfig(files_root=root, files_by_tenant=True, allow_commands=True))


def test_a_tenant_finds_what_it_wrote_and_nobody_else_does(
    apart: dict[str, Tool], root: Path
) -> None:
    (root / "shared.txt").write_text("needle of all")
    for context, text in ((ACME, "needle of acme"), (BETA, "needle of beta")):
        apart["write_file"].function(context, path="deep/own.txt", content=text)
    for context, text in ((ACME, "needle of acme"), (BETA, "needle of beta")):
        assert apart["read_file"].function(context, path="deep/own.txt") == text
        found = apart["search_files"].function(context, query="needle")
        assert found == f"deep/own.txt:1: {text}"
    for path in ("shared.txt", "../../shared.txt", "../beta/deep/own.txt", str(root)):
        with pytest.raises(ToolError, match=r"no file|outside"):
            apart["read_file"].function(ACME, path=path)
    own = root / TENANTS / "acme"
    assert (own / "deep" / "own.txt").read_text() == "needle of acme"
    assert stat.S_IMODE(own.stat().st_mode) & 0o077 == 0


def test_the_default_tenant_has_the_root_without_the_folders_of_others(
    apart: dict[str, Tool], root: Path
) -> None:
    (root / "shared.txt").write_text("needle")
    apart["write_file"].function(ACME, path="own.txt", content="needle")
    assert apart["read_file"].function(DEFAULT, path="shared.txt") == "needle"
    assert apart["search_files"].function(DEFAULT, query="needle") == "shared.txt:1: needle"
    (root / "link").symlink_to(root / TENANTS / "acme")
    for path in (f"{TENANTS}/acme/own.txt", f"{TENANTS.upper()}/acme/own.txt", "link/own.txt"):
        with pytest.raises(ToolError, match=r"is hidden|no file"):
            apart["read_file"].function(DEFAULT, path=path)
        with pytest.raises(ToolError, match=r"is hidden|can't be written"):
            apart["write_file"].function(DEFAULT, path=path, content="x")


@pytest.mark.parametrize("tenant", ["..", "a/b", "", ".hidden", "ACME", "a\0b", "x" * 64])
def test_a_tenant_whose_name_is_no_folder_has_no_files(
    apart: dict[str, Tool], root: Path, tenant: str
) -> None:
    with pytest.raises(ToolError, match="has no files") as refusal:
        apart["write_file"].function(FakeContext(tenant), path="x", content="x")
    assert not refusal.value.retryable
    assert os.listdir(root) == []


def test_commands_run_in_the_folder_of_the_tenant(apart: dict[str, Tool], root: Path) -> None:
    said = str(apart["run_command"].function(ACME, command="pwd"))
    assert str((root / TENANTS / "acme").resolve()) in said


def test_tenants_share_the_root_while_authentication_is_off(
    tools: dict[str, Tool], root: Path
) -> None:
    tools["write_file"].function(ACME, path="f", content="x")
    assert tools["read_file"].function(BETA, path="f") == "x"
    assert (root / "f").read_text() == "x"


@pytest.mark.parametrize(
    ("auth", "place"), [("off", "f"), ("off-behind-proxy", "f"), ("keys", f"{TENANTS}/acme/f")]
)
def test_a_worker_separates_files_where_authentication_is_on(
    root: Path, auth: str, place: str
) -> None:
    tools = build_catalog(Settings(files_root=root, auth=auth)).tools
    tools["write_file"].function(ACME, path="f", content="x")
    assert (root / place).read_text() == "x"
