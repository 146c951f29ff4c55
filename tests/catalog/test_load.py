"""The catalog with a user's own module in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from relayline.catalog.agents import Catalog, CatalogError
from relayline.catalog.family import reachable
from relayline.catalog.load import load_catalog
from relayline.catalog.tools import tool
from relayline.contracts.runs import ModelSettings

README_EXAMPLE = '''
from relayline import Agent, tool

@tool(timeout_s=10, retries=1)
def price(article: str) -> str:
    """Look up the price of an article."""
    return {"tea": "3.50 EUR"}.get(article, "not sold here")

clerk = Agent(name="clerk", instructions="You sell tea.", tools=[price, "read_file"])
'''


@tool
def read_file(path: str) -> str:
    """Read a file."""
    return path


Load = Callable[[str], Catalog]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes a module into the current directory and loads it, its name is `module` + hex."""
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)

    def load_source(source: str) -> Catalog:
        name = f"module{uuid4().hex}"
        (tmp_path / f"{name}.py").write_text(source)
        return load_catalog(name, [read_file], "rehearsal")

    yield load_source
    sys.path[:] = before


def test_an_agent_may_have_a_retention_of_its_own(load: Load) -> None:
    source = "from relayline import Agent\nclerk = Agent(name='clerk', retention_days={})\n"
    assert load(source.format(0.5)).agents["clerk"].retention_days == 0.5
    with pytest.raises(CatalogError, match="retention_days"):
        load(source.format(0))


def test_an_agent_has_settings_fallbacks_and_a_list_of_models(load: Load) -> None:
    source = """
from relayline import Agent, ModelSettings

clerk = Agent(
    "clerk",
    settings=ModelSettings(temperature=0.5, stop=("END",)),
    fallbacks=["rehearsal:spare", "compatible:qwen"],
    models=[],
)
"""
    spec = load(source).agents["clerk"]
    assert spec.candidates == ("rehearsal", "rehearsal:spare", "compatible:qwen")
    assert (spec.settings, spec.models) == (ModelSettings(temperature=0.5, stop=("END",)), ())


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ("fallbacks=['gpt-9']", "fallbacks: unknown model 'gpt-9'"),
        ("fallbacks=['rehearsal']", "fallbacks: 'rehearsal' is listed twice"),
        ("models=['gpt-9']", "models: unknown model 'gpt-9'"),
        ("models=['local', 'local']", "models: 'local' is listed twice"),
        ("fallbacks=[f'ollama:{n}' for n in range(9)]", "fallbacks: .* at most 8 items"),
        (
            "model='openai:gpt-5', settings=ModelSettings(seed=1)",
            "settings.seed: openai:gpt-5 takes no seed",
        ),
        (
            "fallbacks=['anthropic:c'], settings=ModelSettings(temperature=2)",
            "settings.temperature: anthropic:c takes at most 1, not 2",
        ),
    ],
)
def test_models_and_settings_that_can_not_be_used_are_named(
    load: Load, fields: str, why: str
) -> None:
    source = f"from relayline import Agent, ModelSettings\nclerk = Agent('clerk', {fields})\n"
    with pytest.raises(CatalogError, match=f"agent 'clerk': {why}"):
        load(source)


def test_without_a_module_there_is_the_assistant_with_all_built_in_tools() -> None:
    catalog = load_catalog("", [read_file], "openai:gpt-5")
    assert list(catalog.agents) == ["assistant"]
    assistant = catalog.agents["assistant"]
    assert assistant.model == "openai:gpt-5"
    assert assistant.tools == (read_file.spec,)
    assert assistant.instructions
    assert dict(catalog.tools) == {"read_file": read_file}


def test_a_module_of_ten_lines_adds_a_tool_and_an_agent(load: Load) -> None:
    catalog = load(README_EXAMPLE)
    clerk = catalog.agents["clerk"]
    assert [spec.name for spec in clerk.tools] == ["price", "read_file"]
    assert clerk.model == "rehearsal"
    assert catalog.tools["price"].function(article="tea") == "3.50 EUR"
    assert [spec.name for spec in catalog.agents["assistant"].tools] == ["read_file"]


def test_an_agent_may_have_a_model_limits_and_a_tool_of_its_own(load: Load) -> None:
    catalog = load(
        "from relayline import Agent, tool\n"
        "from relayline.contracts.runs import Limits\n"
        "def _make():\n    @tool\n    def hidden(x: int) -> int: return x\n    return hidden\n"
        "a = Agent('a', model='openai:gpt-5', tools=[_make()], limits=Limits(max_steps=5))\n"
        "also_a = a\n"
    )
    assert catalog.agents["a"].model == "openai:gpt-5"
    assert catalog.agents["a"].limits.max_steps == 5
    assert "hidden" in catalog.tools


def test_the_catalog_can_not_be_changed(load: Load) -> None:
    catalog = load(README_EXAMPLE)
    with pytest.raises(TypeError):
        catalog.tools["x"] = read_file  # type: ignore[index]


AGENT = "from relayline import Agent\n"
TOOL = "from relayline import tool\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_package", ["no_such_package", "install"]),
        ("from catalog.agents import Agent", ["'catalog'", "`from relayline import Agent, tool`"]),
        ("from contracts.runs import Limits", ["'contracts'", "in `relayline.contracts`"]),
        ("import relayline.no_such_module", ["relayline.no_such_module", "install"]),
        ("1 / 0", ["ZeroDivisionError", "python -m"]),
        ("def broken(:", ["SyntaxError"]),
        (TOOL + "@tool\ndef f(x): ...", ["TypeError", "parameter 'x' has no type hint"]),
        (TOOL + "@tool(timeout_s=0)\ndef f(x: int): ...", ["timeout_s"]),
        (TOOL + "@tool\ndef read_file(x: int): ...", ["'read_file'", "twice", "name="]),
        (AGENT + "a = Agent('a')\nb = Agent('a')", ["'a'", "twice"]),
        (AGENT + "a = Agent('assistant')", ["'assistant'", "twice"]),
        (AGENT + "a = Agent('a', tools=['nope'])", ["'a'", "'nope'", "read_file"]),
        (AGENT + "a = Agent('a', tools=['read_file'] * 2)", ["'a'", "listed twice"]),
        (AGENT + "def f(): ...\na = Agent('a', tools=[f])", ["'a'", "@tool"]),
        (AGENT + "a = Agent('a', model='gpt')", ["'a'", "'gpt'", "openai:NAME"]),
        (AGENT + "a = Agent('a b')", ["'a b'", "name"]),
        (AGENT + "a = Agent('a', compaction={'kind': 'forget'})", ["'a'", "compaction", "forget"]),
    ],
)
def test_a_module_that_can_not_be_used_is_named_with_what_is_wrong(
    load: Load, source: str, said: list[str]
) -> None:
    with pytest.raises(CatalogError) as refusal:
        load(source)
    for part in ["module", *said]:
        assert part in str(refusal.value)


@pytest.mark.parametrize("module", ["no_such_module", "catalog.no_such_module"])
def test_a_module_that_does_not_exist_is_named_with_the_setting(module: str) -> None:
    with pytest.raises(CatalogError) as refusal:
        load_catalog(module, [], "rehearsal")
    assert module in str(refusal.value)
    assert "RELAYLINE_CATALOG" in str(refusal.value)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Writes a module into `project`, the current directory, or into a `site-packages`."""
    before = list(sys.path)
    for folder in ("project", "site-packages"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "project")
    sys.path.append(str(tmp_path / "site-packages"))

    def write(file: str, source: str) -> None:
        (tmp_path / file).write_text(source)

    yield write
    sys.path[:] = before


def test_what_a_module_of_the_project_imports_is_the_projects(
    place: Callable[[str, str], None],
) -> None:
    shop, billing = f"shop{uuid4().hex}", f"billing{uuid4().hex}"
    place(f"project/{shop}.py", f"{AGENT}import {billing}\na = Agent({billing}.OWNER)")
    place(f"project/{billing}.py", "OWNER = 'project'")
    place(f"site-packages/{billing}.py", "OWNER = 'somebody'")
    assert "project" in load_catalog(shop, [], "rehearsal").agents


def test_what_an_installed_module_imports_can_not_be_replaced_by_a_file_in_the_current_directory(
    place: Callable[[str, str], None],
) -> None:
    shop, billing = f"shop{uuid4().hex}", f"billing{uuid4().hex}"
    place(f"site-packages/{shop}.py", f"{AGENT}import {billing}\na = Agent({billing}.OWNER)")
    place(f"site-packages/{billing}.py", "OWNER = 'installed'")
    place(f"project/{shop}.py", f"{AGENT}a = Agent('written')")
    place(f"project/{billing}.py", "OWNER = 'written'")
    assert "installed" in load_catalog(shop, [], "rehearsal").agents


def test_a_module_of_the_standard_library_is_never_replaced(
    place: Callable[[str, str], None],
) -> None:
    shop = f"shop{uuid4().hex}"
    place("project/wave.py", "OWNER = 'project'")
    place(f"project/{shop}.py", f"{AGENT}import wave\na = Agent(wave.__name__, wave.OWNER)")
    with pytest.raises(CatalogError, match="OWNER"):
        load_catalog(shop, [], "rehearsal")


def test_a_bad_default_model_is_blamed_on_its_setting() -> None:
    with pytest.raises(CatalogError, match="RELAYLINE_MODEL"):
        load_catalog("", [], "gpt")


def test_two_built_in_tools_of_one_name_are_refused() -> None:
    @tool(name="read_file")
    def other(path: str) -> str:
        return path

    with pytest.raises(CatalogError, match="the built-in tools"):
        load_catalog("", [read_file, other], "rehearsal")


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        ("SystemExit('bye')", "SystemExit: bye"),
        ("GeneratorExit", "GeneratorExit"),
        ("__import__('asyncio').CancelledError", "CancelledError"),
        ("BaseExceptionGroup('g', [SystemExit(1), ValueError('INNER')])", "ValueError: INNER"),
        ("type('Wordless', (Exception,), {'__str__': lambda self: 1 / 0})", "Wordless"),
    ],
)
def test_whatever_a_module_raises_is_told_with_its_name(
    place: Callable[[str, str], None], raised: str, told: str
) -> None:
    shop = f"shop{uuid4().hex}"
    place(f"project/{shop}.py", f"raise {raised}")
    with pytest.raises(CatalogError, match=f"{shop} can't be imported: .*{told}"):
        load_catalog(shop, [], "rehearsal")


def agents(**asked: str) -> str:
    """A module of agents, each with the code of those that it may ask."""
    lines = [f"{name} = Agent({name!r}, agents=[{those}])" for name, those in asked.items()]
    return "\n".join(["from relayline import Agent", *lines])


def test_an_agent_that_may_ask_others_has_a_tool_for_each(load: Load) -> None:
    source = agents(low="'assistant'", top="low, Agent('aside', description='Knows tea.')")
    found = load(source).agents
    tools = {spec.name: spec for spec in found["top"].tools}
    assert {name: spec.agent for name, spec in tools.items()} == {
        "ask_low": "low",
        "ask_aside": "aside",
    }
    assert tools["ask_aside"].description.endswith("Knows tea.")
    assert set(found) == {"assistant", "low", "top", "aside"}
    assert set(reachable(found, found["top"])) == {"low", "aside", "assistant"}


def test_agents_that_can_not_ask_each_other_are_refused(load: Load) -> None:
    with pytest.raises(CatalogError, match="in a circle: one asks two asks one"):
        load(agents(one="'two'", two="'one'"))
    with pytest.raises(CatalogError, match="unknown agent 'nobody'; known agents: assistant, one"):
        load(agents(one="'nobody'"))
    with pytest.raises(CatalogError, match="listed twice"):
        load(agents(two="", one="two, two"))
    deep = agents(e="", d="e", c="d", b="c", a="b")
    with pytest.raises(CatalogError, match="more than 5 agents"):
        load(f"{deep}\nz = Agent('z', agents=[a])")
    assert len(load(deep).agents) == 6
