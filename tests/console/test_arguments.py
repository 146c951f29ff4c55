"""What the command line refuses, and how it says so; in this process, with no server."""

from __future__ import annotations

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from relayline.cli import app
from relayline.console.arguments import settings_of
from relayline.console.exit import Failure

NOBODY = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYLINE_DATA_DIR", "/proc/none")
    monkeypatch.delenv("RELAYLINE_URL", raising=False)
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "Missing argument"),
        (["run", ""], "the input is empty"),
        (["run", "-"], "the input is empty"),
        (["run", "\udcff"], "the input is not UTF-8"),
        (["run", "x", "--limits", "max_fun=1"], "'max_fun': use one of max_steps"),
        (["run", "x", "--limits", "max_steps"], "write KEY=VALUE"),
        (["run", "x", "--limits", "max_steps=true"], "'true' is not a number"),
        (["run", "x", "--limits", "max_steps=many"], "'many' is not a number"),
        (["run", "x", "--metadata", "=1"], "write KEY=VALUE"),
        (["run", "x", "--settings", "warmth=1"], "'warmth': use one of temperature"),
        (["chat", "--settings", "temperature"], "write KEY=VALUE"),
        (["fork", "run_x", "--settings", "=0"], "write KEY=VALUE"),
        (["fork", "run_x", "--schema", "/proc/none"], "--schema /proc/none"),
        (["run", "x", "--schema", "/proc/none"], "--schema /proc/none"),
        (["run", "x", "--schema", "/dev/null"], 'write {"name": value, …}'),
        (["answer", "run_x", "q1", "two", "words"], "put the text in quotes"),
        (["approve", "run_x", "--arguments", "[1]"], 'write {"name": value, …}'),
        (["approve", "run_x", "--arguments", "{"], "Invalid JSON"),
        (["replay", "nothing"], "'nothing' is neither a file nor a run's id"),
        (["dev", "--workers", "many"], "--workers"),
        (["deploy", "set-current", "bad id!"], "'bad id!' is not a build id: use 1 to 128"),
        (["deploy", "ramp", "", "5"], "'' is not a build id"),
        (["deploy", "ramp", "v1\n", "5"], "is not a build id"),
        (["deploy", "ramp", "v1", "--", "-5"], "greater than or equal to 0"),
        (["dev", "--api-port", "70000"], "--api-port"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_usage_exits_with_2_and_names_the_thing(words: list[str], told: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "x", "--url", NOBODY], "no API answers at http://127.0.0.1:1: start one with"),
        (["watch", "run_x", "--url", NOBODY], "relayline dev"),
        (["pause", "run_x", "--url", "nowhere"], "'nowhere' is no address of an API"),
        (["redirect", "run_x", "\udcff", "--url", NOBODY], "what was given can't be sent: 'utf-8'"),
        (
            ["approve", "run_x", "a1", "--arguments", '{"n": NaN}', "--url", NOBODY],
            "what was given can't be sent: Out of range",
        ),
        (["replay", "/etc/hostname"], "/etc/hostname holds no Temporal history"),
        (["replay", "run_0123456789abcdef"], "no Temporal address"),
        (["export", "run_0123456789abcdef"], "no Temporal address"),
        (["dev", "--data-dir", "/proc/no"], "/proc/no can't be written"),
    ],
)
def test_what_fails_is_one_line_that_names_the_thing(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYLINE_API_PORT", "0")
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, Failure)
    assert told in str(result.exception)
    assert "\n" not in str(result.exception)


def test_every_command_and_every_option_says_what_it_is_for() -> None:
    groups = [get_command(app)]
    while groups:
        for command in getattr(groups.pop(), "commands", {}).values():
            assert command.help, command.name
            for parameter in command.params:
                assert parameter.help, f"{command.name}: {parameter.name}"
            groups.append(command)


def test_settings_are_json_or_else_text() -> None:
    words = ("temperature=0", "reasoning_effort=low", 'stop=["=", "b"]', "seed=null", "cache=false")
    assert settings_of(words) == {
        "temperature": 0,
        "reasoning_effort": "low",
        "stop": ["=", "b"],
        "seed": None,
        "cache": False,
    }
