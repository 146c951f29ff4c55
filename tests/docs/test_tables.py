"""Tables in the docs say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from relayline.contracts.events.servers import HIDDEN
from relayline.runtime.settings import BadSettings, Settings, load_settings
from tests.docs.described import meanings
from tests.docs.event_types import NOTICES, body_types, type_of
from tests.docs.pages import ROOT
from tests.docs.tables import COMMAND, TABLES, Table
from tests.docs.variables import variable

BY_NAME = {table.name: table for table in TABLES}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_table_is_that_of_the_code(table: Table) -> None:
    text = table.page.read_text()
    assert table.written_into(text) == text, f"run {COMMAND}"


def test_command_that_writes_them_exists() -> None:
    assert f"\n{COMMAND.removeprefix('make ')}: " in (ROOT / "Makefile").read_text()


def test_every_event_type_and_every_field_of_it_is_there() -> None:
    lines = [*BY_NAME["events"].make()]
    for body in body_types():
        begin = next(
            at for at, line in enumerate(lines) if line.startswith(f"| **`{type_of(body)}")
        )
        rows = [line.split("`")[1] for line in lines[begin + 1 :] if line.startswith("| | `")]
        left_out = {"type", *HIDDEN.get(type_of(body), ())}
        fields = body.model_fields.items()
        wanted = [info.alias or name for name, info in fields if name not in left_out]
        assert rows[: len(wanted)] == wanted
    assert {f"| **`{kind}`** | | | {said} |" for kind, said in NOTICES.items()} <= {*lines}


def test_every_field_of_an_event_says_what_it_means() -> None:
    rows = [line.split(" | ") for line in BY_NAME["events"].make() if line.startswith("| | `")]
    assert rows
    assert [cells for cells in rows if not cells[-1].rstrip(" |")] == []


def test_every_object_that_a_field_refers_to_is_explained() -> None:
    text = "\n".join(BY_NAME["events"].make())
    for name in ("Limits", "RunError", "ToolCall", "Usage", "Waiting"):
        assert f"| **`{name}`** |" in text


def test_optional_fields_are_told_from_those_that_are_always_there() -> None:
    lines = [*BY_NAME["events"].make()]
    [fraction] = [line for line in lines if line.startswith("| | `fraction`")]
    [finish, _] = [line for line in lines if line.startswith("| | `finish_reason`")]
    assert "number, may be absent" in fraction
    assert "absent" not in finish


def test_a_page_without_markers_is_an_error_that_names_them(tmp_path: Path) -> None:
    table = Table(tmp_path / "page.md", "things", lambda: iter(["| a |"]))
    written = table.written_into("x\n<!-- things: generated -->\nold\n<!-- /things -->\ny\n")
    assert written == "x\n<!-- things: generated -->\n\n| a |\n\n<!-- /things -->\ny\n"
    for text in ("x", "<!-- things: generated -->", "<!-- /things --><!-- things: generated -->"):
        with pytest.raises(ValueError, match="between <!-- things: generated --> and"):
            table.written_into(text)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_defaults_and_bounds_of_settings_are_as_the_table_has_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = [it for it in BY_NAME["settings"].make() if it.startswith(f"| `{variable(name)}` |")]
    default, bounds = (cell.strip(" `") for cell in row.split("|")[2:4])
    monkeypatch.setenv(variable(name), default)
    assert getattr(load_settings(), name) == Settings.model_fields[name].default
    numbers = [float(it.replace(",", "")) for it in re.findall(r"\d[\d,]*", bounds)]
    below = 0 if bounds.startswith("above") else -1
    for number, step in zip(numbers, (below, 1), strict=False):
        monkeypatch.setenv(variable(name), f"{number + step:.0f}")
        with pytest.raises(BadSettings, match=variable(name)):
            load_settings()


def test_every_setting_says_what_it_means() -> None:
    said = meanings(Settings)
    assert [name for name in Settings.model_fields if not said[name]] == []
