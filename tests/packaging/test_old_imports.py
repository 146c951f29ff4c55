"""Where a catalog imports Relayline by a name of an older version, it is told the new one.

In an environment of its own: from a checkout four of these names can still be imported.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.packaging.venvs import Venv

pytestmark = pytest.mark.slow

NEW_LINES = {
    "activities": "from relayline.activities",
    "api": "from relayline.api",
    "catalog": "from relayline import Agent, tool",
    "cli": "from relayline.cli",
    "console": "from relayline.console",
    "contracts": "from relayline import ApprovalRule, KeepLast, Summarise",
    "embedded": "from relayline.dev",
    "housekeeper": "from relayline.housekeeper",
    "journal": "from relayline.journal",
    "settings": "from relayline.runtime.settings",
    "supervision": "from relayline.runtime.children",
    "temporal_client": "from relayline.runtime.temporal",
    "temporal_namespace": "from relayline.runtime.namespace",
    "wiring": "from relayline.wiring",
    "worker": "from relayline.worker",
    "workflows": "from relayline.workflows",
}
LOAD = """
import json
from relayline.catalog.agents import CatalogError
from relayline.catalog.load import load_catalog

def outcome(module):
    try:
        return list(load_catalog(module, [], "rehearsal").agents)
    except CatalogError as error:
        return str(error)

print(json.dumps({name: outcome(f"uses_{name}") for name in NAMES}))
"""


def loaded(light: Venv, project: Path) -> dict[str, str | list[str]]:
    """By each old name: the agents of a catalog that imports from it, or why it is refused."""
    for name in NEW_LINES:
        source = f"from relayline import Agent\nfrom {name}.mine import NAME\nagent = Agent(NAME)\n"
        (project / f"uses_{name}.py").write_text(source)
    outcomes: dict[str, str | list[str]] = json.loads(
        light.says(f"NAMES = {list(NEW_LINES)}\n{LOAD}", project)
    )
    return outcomes


@pytest.fixture(scope="module")
def refused(light: Venv, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | list[str]]:
    """Nothing of these names is there."""
    return loaded(light, tmp_path_factory.mktemp("old"))


@pytest.mark.parametrize("name", NEW_LINES)
def test_an_old_name_is_refused_with_the_line_that_replaces_it(
    refused: dict[str, str | list[str]], name: str
) -> None:
    told = refused[name]
    assert isinstance(told, str)
    assert told.startswith(f"uses_{name} can't be imported: No module named {name!r}; ")
    assert f"write `{NEW_LINES[name]}" in told


def test_modules_of_the_users_own_may_have_each_of_these_names(light: Venv, tmp_path: Path) -> None:
    for name in NEW_LINES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(f"NAME = 'own_{name}'\n")
    assert loaded(light, tmp_path) == {name: ["assistant", f"own_{name}"] for name in NEW_LINES}


def test_what_the_users_own_package_lacks_is_not_taken_for_ours(
    light: Venv, tmp_path: Path
) -> None:
    for name in NEW_LINES:
        (tmp_path / name).mkdir()
    for name, told in loaded(light, tmp_path).items():
        assert f"No module named '{name}.mine'; install what it needs" in told
