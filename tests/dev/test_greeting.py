"""What `relayline dev` tells people to try works in their shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from relayline.dev.state_file import ApiState, DevState, TemporalState

STATE = DevState(api=ApiState(url="http://127.0.0.1:1"), temporal=TemporalState(address="a:1"))


def test_the_command_has_its_path_where_the_shell_does_not_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = tmp_path / "a venv" / "relayline"
    beside.parent.mkdir()
    beside.touch(mode=0o755)
    monkeypatch.setattr("sys.executable", str(beside.with_name("python")))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert f"Try: '{beside}' run " in STATE.greeting()
    monkeypatch.setenv("PATH", str(beside.parent))
    assert "Try: relayline run " in STATE.greeting()


def test_the_page_is_the_first_address() -> None:
    assert STATE.greeting().splitlines()[0].split() == ["Page", "http://127.0.0.1:1/"]
