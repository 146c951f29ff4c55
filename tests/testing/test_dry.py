"""`relayline run --dry`: a run in the terminal, with no server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks

RELAYLINE = str(Path(sys.executable).with_name("relayline"))
MODULE = """
from pathlib import Path
from relayline import Agent, tool

@tool(effects="unsafe")
def erase(path: str) -> str:
    Path(path).unlink()
    return "gone"

@tool
def look(path: str) -> str:
    return Path(path).read_text()

keeper = Agent("keeper", tools=[erase, look])
"""
SERVED = f"""
import sys
from pathlib import Path
from relayline import Agent, McpServer, Override

never = Override(approval="never")
odd = McpServer(
    "odd",
    command=(sys.executable, {str(ROOT / "tests/activities/tool/mcp/odd_server.py")!r}),
    env={{"ODD_FOLDER": str(Path.cwd())}},
    trusted=True,
    overrides={{"die": never, "lie": never}},
)
served = Agent("served", mcp=[odd])
"""

pytestmark = pytest.mark.slow


def run(folder: Path, *words: str, catalog: str = "") -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "RELAYLINE_CATALOG": catalog}
    return subprocess.run(
        words, check=False, cwd=folder, env=env, text=True, capture_output=True, timeout=120
    )


def dry(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, RELAYLINE, "run", "--dry", *words, catalog="keeping")


def script(*items: dict[str, object]) -> str:
    return json.dumps({"rehearse": items})


def test_safe_tools_run_and_unsafe_ones_do_nothing(tmp_path: Path) -> None:
    (tmp_path / "keeping.py").write_text(MODULE)
    kept = tmp_path / "kept.txt"
    kept.write_text("still here")
    path = {"path": str(kept)}
    told = script({"call": "look", "arguments": path}, {"call": "erase", "arguments": path})
    ended = dry(tmp_path, "--agent", "keeper", "--json", told)
    assert ended.returncode == 0, ended.stderr
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    outputs = [it["data"]["output"] for it in events if it["type"] == "tool.completed"]
    assert outputs == ["still here", "not done: this is a dry run"]
    assert kept.read_text() == "still here"
    assert {it.name for it in tmp_path.iterdir()} <= {"keeping.py", "kept.txt", "__pycache__"}


def test_an_unsafe_tool_of_an_mcp_server_is_not_called(tmp_path: Path) -> None:
    (tmp_path / "keeping.py").write_text(SERVED)
    told = script({"call": "odd_die", "arguments": {}}, {"call": "odd_lie", "arguments": {}})
    ended = dry(tmp_path, "--agent", "served", "--json", told)
    assert ended.returncode == 0, ended.stderr
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    outputs = [it["data"]["output"] for it in events if it["type"] == "tool.completed"]
    assert outputs == ["not done: this is a dry run", "nothing was written"]


def test_a_run_that_waits_is_shown_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "keeping.py").write_text(MODULE)
    ended = dry(tmp_path, script({"call": "ask_user", "arguments": {"question": "Which?"}}))
    assert "Which?" in ended.stdout
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (1, "the run is waiting")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--agent", "nobody", "hi"), "no agent 'nobody'; there are: assistant, keeper"),
        (("--model", "x/y", "hi"), "x/y"),
        (("--limits", "max_steps=0", "hi"), "limits.max_steps"),
        (("--settings", "temperature=3", "hi"), "settings.temperature"),
        (
            ("--settings", "seed=1", "--model", "openai:x", "hi"),
            "settings.seed: openai:x takes no seed",
        ),
    ],
)
def test_what_can_not_be_run_is_said_in_one_line(
    tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    (tmp_path / "keeping.py").write_text(MODULE)
    ended = dry(tmp_path, *words)
    assert ended.returncode != 0
    assert why in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_tests_of_the_page_pass_with_the_fixture_that_pytest_finds(tmp_path: Path) -> None:
    first, *_ = blocks(ROOT / "docs" / "agents.md", "python")
    (tmp_path / "shop.py").write_text(first)
    [example] = blocks(ROOT / "docs" / "testing.md", "python")
    (tmp_path / "test_shop.py").write_text(example)
    ended = run(tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert ended.returncode == 0, ended.stdout
    assert "4 passed" in ended.stdout


def test_answers_fit_the_schema_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "keeping.py").write_text(MODULE)
    (tmp_path / "schema.json").write_text('{"type": "object", "required": ["euros"]}')
    (tmp_path / "none.json").write_text('{"type": "string"}')
    told = script({"answer": "4"}, {"answer": {"euros": 4}})
    words = ("--agent", "keeper", "--json", told, "--schema")
    ended = dry(tmp_path, *words, "schema.json")
    assert ended.returncode == 0, ended.stderr
    last = json.loads(ended.stdout.splitlines()[-1])
    assert last["data"]["output"] == {"euros": 4}
    refused = dry(tmp_path, *words, "none.json")
    assert refused.returncode == 1
    assert "output_schema: the answer must be an object" in refused.stderr
