"""`relayline catalog push`: the API knows a build's agents before its workers are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from relayline.journal.sqlite.journal import SqliteJournal
from tests.console.test_cli import relayline

SHOP = """
from relayline import Agent, tool

@tool
def price(article: str) -> str:
    return "4.20"

clerk = Agent("clerk", tools=[price])
"""


@pytest.mark.slow
async def test_a_push_writes_the_catalog_of_the_build(tmp_path: Path) -> None:
    (tmp_path / "pushed_shop.py").write_text(SHOP)
    env = {
        "RELAYLINE_DATA_DIR": str(tmp_path / "data"),
        "RELAYLINE_CATALOG": "pushed_shop",
        "RELAYLINE_BUILD_ID": "b2",
        "PYTHONPATH": str(tmp_path),
    }
    said = await relayline("catalog", "push", env=env)
    assert (said.code, said.out) == (0, "build b2: agents assistant, clerk\n"), said.err
    journal = SqliteJournal(tmp_path / "data" / "journal.db")
    [known] = await journal.catalogs.known()
    assert (known.build, known.seen_us) == ("b2", None)
    specs = await journal.catalogs.specs(known)
    assert specs
    assert [agent.name for agent in specs.agents] == ["assistant", "clerk"]
    assert "price" in {tool.name for tool in specs.tools}
    await journal.close()
    bad = await relayline("catalog", "push", env=env | {"RELAYLINE_CATALOG": "no.such.module"})
    assert bad.code == 1
    assert bad.err.startswith("relayline: no module 'no.such.module'")
