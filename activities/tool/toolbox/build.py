"""Builds the list of built-in tools that the deployment allows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from relayline.activities.tool.toolbox.arithmetic import calculate
from relayline.activities.tool.toolbox.files import file_tools
from relayline.activities.tool.toolbox.folder import Folder
from relayline.activities.tool.toolbox.search import search_files_in
from relayline.activities.tool.toolbox.shell import run_command_in
from relayline.activities.tool.toolbox.waiting import ask_user, sleep
from relayline.activities.tool.toolbox.web import fetch_url_with
from relayline.catalog.tools import Tool


@dataclass(frozen=True)
class ToolboxConfig:
    """What the built-in tools may do in this deployment."""

    files_root: Path
    """The only folder that the file tools can access; commands run in it."""
    files_by_tenant: bool = False
    """Each tenant but `default` has a folder of its own in it, and sees nothing else."""
    hidden: tuple[Path, ...] = ()
    """Files and folders that the file tools can't access, wherever they are."""
    allow_commands: bool = False
    """Offer `run_command`."""
    command_network: bool = True
    """Whether commands may use the network."""
    fetch_allow: tuple[str, ...] = ()
    """Hosts (`name` or `name:port`) that `fetch_url` may reach even if they are not public."""


def build_toolbox(config: ToolboxConfig) -> tuple[Tool, ...]:
    """The built-in tools; nothing accesses disk or network before a call."""
    folder = Folder(config.files_root, config.hidden, by_tenant=config.files_by_tenant)
    tools = (
        *file_tools(folder),
        search_files_in(folder),
        calculate,
        fetch_url_with(config.fetch_allow),
        sleep,
        ask_user,
    )
    if not config.allow_commands:
        return tools
    return (*tools, run_command_in(folder, network=config.command_network))
