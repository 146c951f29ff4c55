"""Calls that can't be right, and whatever a tool may raise."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator
from temporalio.exceptions import ApplicationError

from relayline.activities.tool.output import MAX_ERROR_CHARS
from relayline.catalog.tools import Tool, ToolError, tool
from relayline.contracts.errors import ErrorType
from relayline.contracts.keys import call_scope
from relayline.journal.port import Fence
from tests.activities.tool.conftest import CALL, Bench, failure


@tool
def echo(text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"spec": None, "name": "echo"}, ErrorType.UNKNOWN_TOOL, "agent has no tool 'echo'"),
        ({"tool": None}, ErrorType.UNKNOWN_TOOL, "worker has no tool 'echo'"),
        ({"arguments": {}}, ErrorType.BAD_ARGUMENTS, "'text' is a required property"),
        ({"arguments": {"text": 5}}, ErrorType.BAD_ARGUMENTS, "text: 5 is not of type 'string'"),
        ({"arguments": {"text": "", "x": 1}}, ErrorType.BAD_ARGUMENTS, "'x' was unexpected"),
        ({"arguments": {"malformed_json": '{"te'}}, ErrorType.BAD_ARGUMENTS, "not valid JSON"),
    ],
)
async def test_a_call_that_can_not_be_right_fails_at_once_and_says_why(
    bench: Bench, changes: dict[str, Any], kind: ErrorType, said: str
) -> None:
    await bench.plan("echo", changes.pop("arguments", {"text": "x"}))
    options: dict[str, Any] = {"spec": echo.spec, **changes}
    error = await failure(bench, options.pop("tool", echo), **options)
    assert (error.type, error.non_retryable) == (kind, True)
    assert said in error.message
    assert (await bench.result()).error == error.message
    assert await bench.types() == ["tool.failed"]


async def test_a_tool_that_needs_approval_is_refused_without_running(bench: Bench) -> None:
    guarded = dataclasses.replace(echo, spec=echo.spec.model_copy(update={"approval": "always"}))
    await bench.plan("echo", {"text": "x"})
    error = await failure(bench, guarded)
    assert error.type == ErrorType.APPROVAL_REQUIRED
    assert error.message == "nobody has approved this call of echo"
    assert error.non_retryable
    assert await bench.types() == ["tool.failed"]


async def test_a_call_that_is_not_in_the_journal_is_refused(bench: Bench) -> None:
    error = await failure(bench, echo)
    assert error.type == ErrorType.BAD_ARGUMENTS
    assert CALL in error.message


async def test_an_argument_that_only_the_type_hint_refuses_is_named(bench: Bench) -> None:
    @tool
    def plan(when: date) -> None: ...

    await bench.plan("plan", {"when": "tomorrow"})
    error = await failure(bench, plan)
    assert error.type == ErrorType.BAD_ARGUMENTS
    assert error.message.startswith("when: ")


def _raises(error: BaseException) -> Tool:
    @tool(retries=0)
    def raising() -> None:
        raise error

    return raising


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StopIteration(), "StopIteration"),
        (SystemExit(3), "exit(3)"),
        (KeyError("k"), "KeyError: 'k'"),
        (ToolError(""), "ToolError"),
        (ValueError("x" * 5000), "ValueError: xxx"),
        (ValueError("\ud800"), "ValueError: ?"),
    ],
)
async def test_whatever_a_tool_raises_becomes_a_bounded_text(
    bench: Bench, error: BaseException, said: str
) -> None:
    await bench.plan("raising", {})
    raised = await failure(bench, _raises(error))
    assert said in raised.message
    assert len(raised.message) <= MAX_ERROR_CHARS


async def test_a_tool_that_exits_or_cancels_itself_ends_neither_worker_nor_run(
    bench: Bench,
) -> None:
    @tool(retries=0)
    async def leaving() -> None:
        sys.exit("bye")

    @tool(retries=0)
    async def giving_up() -> None:
        raise asyncio.CancelledError

    for made, said in ((leaving, "exit(bye)"), (giving_up, "cancelled itself")):
        other = Bench(bench.journal)
        await other.plan(made.spec.name, {})
        assert said in (await failure(other, made)).message


async def test_a_result_that_is_no_json_fails_for_good(bench: Bench) -> None:
    @tool
    def odd() -> object:
        return object()

    await bench.plan("odd", {})
    error = await failure(bench, odd)
    assert error.non_retryable
    assert "object" in error.message


async def test_an_attempt_that_was_overtaken_changes_nothing(bench: Bench) -> None:
    await bench.plan("echo", {"text": "x"})
    await bench.journal.append(bench.run_id, [], Fence(call_scope(0, CALL), 2))
    with pytest.raises(ApplicationError) as raised:
        await bench.call(echo, attempt=1)
    assert (raised.value.type, raised.value.non_retryable) == (ErrorType.ATTEMPT_BEHIND, False)
    assert await bench.types() == []


def _check(_: str) -> str:
    raise KeyError("broken validator")


async def test_a_validator_that_breaks_is_the_arguments_fault(bench: Bench) -> None:
    @tool
    def checked(text: Annotated[str, AfterValidator(_check)]) -> None: ...

    await bench.plan("checked", {"text": "x"})
    error = await failure(bench, checked)
    assert error.type == ErrorType.BAD_ARGUMENTS
    assert "broken validator" in error.message


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (["a\ud83d"], '["a?"]'),
        ({"\udcff": {"name": "\udcff.txt"}, "n": float("nan")}, '{"?":{"name":"?.txt"},"n":"NaN"}'),
        ("\udcff", "?"),
    ],
)
async def test_a_name_that_is_no_text_does_not_fail_a_result(
    bench: Bench, result: Any, told: str
) -> None:
    @tool
    def listing() -> Any:
        return result

    await bench.run(listing)
    assert (await bench.result()).output == told
