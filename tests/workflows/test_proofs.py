"""The proof of a command goes with every fact that names its sender, and with no other."""

from __future__ import annotations

import json

import pytest
from temporalio.api.common.v1 import Payload

from relayline.contracts.access.proofs import HEADER, MAX_PROOF_CHARS, carried, digest_of
from relayline.contracts.commands import (
    Answer,
    AnyCommand,
    Cancel,
    Decide,
    Pause,
    Redirect,
    Resume,
    read_command,
)
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import ApprovalResolved, RunCancelled
from relayline.workflows.gates import Verdict, origin_of
from relayline.workflows.signals.headers import PROOF, proof_in, with_proof
from tests.workflows.wheel import LATER, Wheel


def proven(command: AnyCommand) -> AnyCommand:
    return command.model_copy(update={"by": "ann", "proof": f"proof of {command.command_id}"})


def proofs(wheel: Wheel) -> dict[str, str]:
    """By type and key of the fact."""
    return {f"{fact.body.type} {fact.key}": fact.proof for fact in wheel.pending.added}


def test_each_fact_of_a_command_has_its_proof() -> None:
    wheel = Wheel()
    wheel.approval()
    wheel.question()
    sent: tuple[AnyCommand, ...] = (
        Pause(command_id="p"),
        Resume(command_id="r"),
        Redirect(command_id="m", message="later"),
        Decide(command_id="d", approval_id="approval_1_0", decision="approve"),
        Answer(command_id="a", request_id="input_1_0", text="red"),
        Redirect(command_id="x"),
        Cancel(command_id="c"),
    )
    wheel.send(*(proven(it) for it in sent))
    ending = wheel.steering.act()
    assert isinstance(ending, RunCancelled)
    assert wheel.steering.ending_origin.proof == "proof of c"
    keys = {fact.key: fact.proof for fact in wheel.pending.added}
    for command in sent:
        for key in ("accepted", "outcome"):
            full = f"command/{command.command_id}/{key}"
            assert keys[full] == f"proof of {command.command_id}"
    assert {it: proof for it, proof in proofs(wheel).items() if not it.startswith("command.")} == {
        "run.paused 0/command/p/pause": "proof of p",
        "run.resumed 0/command/r/resume": "proof of r",
        "message.user 0/command/m/message": "proof of m",
        "approval.resolved request/approval_1_0/end": "proof of d",
        "input.received request/input_1_0/end": "proof of a",
    }


def test_what_a_command_withdraws_has_its_proof_and_what_expires_has_none() -> None:
    wheel = Wheel()
    wheel.send(proven(Redirect(command_id="m", message="now")))
    assert wheel.steering.stopped_from == origin_of(proven(Redirect(command_id="m")))
    wheel.steering.act()
    wheel.send(proven(Cancel(command_id="c")))
    assert wheel.steering.stopped_from.proof == "proof of c"
    wheel.steering.act()
    assert wheel.steering.stopped_from.proof == "proof of c"
    withdrawn = Verdict("withdrawn", "ann", LATER, origin=wheel.steering.stopped_from)
    wheel.steering.close(wheel.approval(), withdrawn)
    wheel.steering.close(wheel.question(), Verdict("expired", "", LATER))
    found = proofs(wheel)
    assert found["approval.resolved request/approval_1_0/end"] == "proof of c"
    assert found["input.closed request/input_1_0/end"] == ""


def test_a_verdict_has_the_key_of_who_decided_and_is_unverified_if_the_command_is() -> None:
    wheel = Wheel()
    wheel.approval()
    decide = Decide(
        command_id="d", approval_id="approval_1_0", decision="approve", by="temporal", key_id="k1"
    )
    wheel.send(decide.model_copy(update={"verified": False}))
    [body] = wheel.bodies("request/approval_1_0/end")
    assert isinstance(body, ApprovalResolved)
    assert (body.key_id, body.verified) == ("k1", False)


def test_facts_without_a_proof_are_as_large_as_they_were() -> None:
    wheel = Wheel()
    wheel.send(Pause(command_id="p", by="ann"))
    [accepted] = wheel.pending.added
    assert "proof" not in accepted.model_dump_json()
    assert "verified" not in accepted.model_dump_json()


PAYLOAD = {"command_id": "m", "message": "hi", "by": "ann", "proof": "own", "verified": False}


def test_the_header_proves_the_payload_as_it_came() -> None:
    token = PROOF.set("mac")
    try:
        taken = with_proof(read_command(Redirect, [PAYLOAD]), (PAYLOAD,))
    finally:
        PROOF.reset(token)
    assert taken.proof == carried(digest_of("redirect", PAYLOAD), "mac")
    assert taken.verified


def test_a_payload_proves_nothing_by_itself() -> None:
    taken = with_proof(read_command(Redirect, [PAYLOAD]), (PAYLOAD,))
    assert (taken.proof, taken.verified) == ("", True)
    assert with_proof(Redirect(), ()) == Redirect()


@pytest.mark.parametrize(
    ("data", "proof"),
    [
        (json.dumps("ab12").encode(), "ab12"),
        (b"ab12", "ab12"),
        (b"", ""),
        (b"\xff\x00", "\u00ff\x00"),
        (b"[" * 100_000, "[" * MAX_PROOF_CHARS),
    ],
)
def test_any_header_can_be_read(data: bytes, proof: str) -> None:
    assert proof_in({HEADER: Payload(data=data)}) == proof
    assert proof_in({"other": Payload(data=data)}) == ""


def test_a_fact_with_a_proof_is_stored_without_it() -> None:
    wheel = Wheel()
    wheel.send(proven(Pause(command_id="p")))
    [accepted] = wheel.pending.added
    assert NewEvent.model_validate_json(accepted.model_dump_json()) == accepted
    assert "proof" not in accepted.data_json()
