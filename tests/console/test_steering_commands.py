"""The steering commands: what each sends, how it finds what is open, what it says."""

from __future__ import annotations

import asyncio
import getpass
from typing import Any

import pytest

from relayline.console.steer import login
from relayline.contracts.commands import MAX_BY_CHARS
from tests.client.stand_in import RUN, Refuse, StandIn
from tests.console.test_cli import Ended, relayline

pytestmark = pytest.mark.slow

APPROVALS = [
    {"kind": "approval", "id": "approval_1_0", "what": "write_file(path=a)"},
    {"kind": "approval", "id": "approval_1_1", "what": ""},
]
QUESTION = {"kind": "input", "id": "input_1_2", "what": "Which one?"}
PAUSED = {"kind": "resume", "what": "paused"}


async def steered(stand_in: StandIn, *words: str) -> Ended:
    command, *rest = words
    return await relayline(command, RUN, *rest, "--url", stand_in.url)


async def test_each_command_sends_what_its_options_say(stand_in: StandIn) -> None:
    me = ("--by", "ann")
    sent: dict[tuple[str, ...], tuple[str, dict[str, Any]]] = {
        ("pause", *me): ("pause", {"now": False}),
        ("pause", "--now", *me): ("pause", {"now": True}),
        ("resume", *me): ("resume", {}),
        ("redirect", "go left", *me): ("redirect", {"message": "go left", "now": True}),
        ("redirect", "x", "--after-step", *me): ("redirect", {"message": "x", "now": False}),
        ("cancel", "--reason", "enough", *me): ("cancel", {"reason": "enough"}),
        ("approve", "a1", *me): ("approvals/a1", {"decision": "approve", "note": ""}),
        ("approve", "a1", "--arguments", '{"n": null}', "--note", "ok", *me): (
            "approvals/a1",
            {"decision": "approve", "arguments": {"n": None}, "note": "ok"},
        ),
        ("deny", "a1", "--note", "no", *me): ("approvals/a1", {"decision": "deny", "note": "no"}),
        ("answer", "q1", "", *me): ("answer", {"request_id": "q1", "text": ""}),
    }
    ended = await asyncio.gather(*(steered(stand_in, *words) for words in sent))
    for words, end in zip(sent, ended, strict=True):
        assert end == Ended(0, f"{words[0]} applied at step 2: did it\n", "")
    posts = [(path, body) for method, path, _, body in stand_in.requests if method == "POST"]
    for path, body in sent.values():
        assert (f"/v1/runs/{RUN}/{path}", body | {"by": "ann"}) in posts


async def test_an_id_that_is_left_out_is_that_of_the_only_one_open(stand_in: StandIn) -> None:
    stand_in.progress["waiting_for"] = [PAUSED, APPROVALS[0], QUESTION]
    commands = [("approve",), ("deny",), ("answer", "red")]
    ended = await asyncio.gather(*(steered(stand_in, *words) for words in commands))
    assert [end.code for end in ended] == [0, 0, 0]
    posts = {path: body for method, path, _, body in stand_in.requests if method == "POST"}
    assert posts.keys() == {
        f"/v1/runs/{RUN}/approvals/approval_1_0",
        f"/v1/runs/{RUN}/answer",
    }
    answer = {"request_id": "input_1_2", "text": "red", "by": getpass.getuser()}
    assert posts[f"/v1/runs/{RUN}/answer"] == answer


async def test_where_several_are_open_or_none_they_are_listed(stand_in: StandIn) -> None:
    stand_in.progress |= {"status": "waiting", "waiting_for": APPROVALS}
    approve, answer = await asyncio.gather(
        steered(stand_in, "approve"), steered(stand_in, "answer", "red")
    )
    both = "approval_1_0 (write_file(path=a)); approval_1_1"
    assert approve == Ended(
        1, "", f"relayline: {RUN} waits for more than one approval, name one: {both}\n"
    )
    assert answer == Ended(
        1, "", f"relayline: {RUN} waits for no answer: it is waiting, waits for {both}\n"
    )
    stand_in.progress |= {"status": "running", "waiting_for": []}
    deny = await steered(stand_in, "deny")
    assert deny.err == f"relayline: {RUN} waits for no approval: it is running, waits for nothing\n"
    assert not any(method == "POST" for method, *_ in stand_in.requests)


async def test_a_decision_that_comes_too_late_is_told_who_decided(stand_in: StandIn) -> None:
    stand_in.problem = Refuse(409, "already-decided", "approval_1_0 was denied by bob")
    ended = await steered(stand_in, "approve", "approval_1_0")
    assert ended == Ended(1, "", "relayline: approval_1_0 was denied by bob\n")


async def test_a_refused_decision_goes_by_its_name_and_steers_no_terminal(
    stand_in: StandIn,
) -> None:
    stand_in.outcome = {"state": "refused", "reason": "arguments.path: is\x9b2J \x1b[8mmissing"}
    ended = await steered(stand_in, "approve", "a1", "--arguments", "{}")
    assert ended == Ended(
        1, "", "relayline: approve was refused: arguments.path: is2J [8mmissing\n"
    )


def test_nobody_has_to_have_a_login_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "x" * 500)
    assert login() == "x" * MAX_BY_CHARS

    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", unknown)
    assert login() == ""
