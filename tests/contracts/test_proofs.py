"""Proofs of commands hold for one run and one payload, and for nothing else."""

from __future__ import annotations

import json

import pytest

from relayline.contracts.access.proofs import (
    CommandProofs,
    carried,
    digest_of,
    unproven,
    unverified,
)
from relayline.contracts.commands import Cancel, Decide, Redirect
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import (
    ApprovalResolved,
    CommandAccepted,
    EventBody,
    MessageCompleted,
    RunCancelled,
    RunPaused,
)
from relayline.contracts.submissions.batches import BatchCancel
from tests.workflows.wheel import NOW

OLD, NEW = b"o" * 32, b"n" * 32
COMMAND = Redirect(command_id="c1", by="ann", on_behalf_of="bob", message="grün")
DECIDE = Decide(
    command_id="c1", approval_id="a", decision="approve", arguments={"n": 1.5e300, "m": [10**20]}
)


def received(command: Redirect | Decide) -> object:
    """The payload as a run decodes it; the order of its fields may be any."""
    sent: dict[str, object] = json.loads(command.model_dump_json())
    return dict(reversed(sent.items()))


@pytest.mark.parametrize("command", [COMMAND, DECIDE])
def test_a_proof_holds_for_the_payload_as_it_arrives(command: Redirect | Decide) -> None:
    proofs = CommandProofs([OLD])
    digest = digest_of(command.kind.value, received(command))
    assert proofs.holds("run_1", digest, proofs.sign("run_1", command))
    assert proofs.holds_carried("run_1", carried(digest, proofs.sign("run_1", command)))


@pytest.mark.parametrize(
    "changes",
    [{"by": "eve"}, {"on_behalf_of": ""}, {"message": "red"}, {"command_id": "c2"}, {"now": False}],
)
def test_nothing_of_a_command_can_be_changed(changes: dict[str, object]) -> None:
    proofs = CommandProofs([OLD])
    proof = proofs.sign("run_1", COMMAND)
    changed = COMMAND.model_copy(update=changes)
    assert not proofs.holds("run_1", digest_of("redirect", received(changed)), proof)


def test_a_proof_is_worth_nothing_elsewhere_or_changed() -> None:
    proofs = CommandProofs([OLD])
    digest, proof = digest_of("redirect", received(COMMAND)), proofs.sign("run_1", COMMAND)
    assert not proofs.holds("run_2", digest, proof)
    assert not proofs.holds("run_1", digest_of("answer", received(COMMAND)), proof)
    for place, letter in enumerate(proof):
        altered = proof[:place] + ("0" if letter != "0" else "1") + proof[place + 1 :]
        assert not proofs.holds("run_1", digest, altered)
    for altered in ("", proof[:-1], proof + "0", proof.upper() + "é", "\ud800"):
        assert not proofs.holds("run_1", digest, altered)


def test_every_listed_secret_verifies_and_the_first_signs() -> None:
    old, new, both = CommandProofs([OLD]), CommandProofs([NEW]), CommandProofs([NEW, OLD])
    digest = digest_of("redirect", received(COMMAND))
    assert both.sign("run_1", COMMAND) == new.sign("run_1", COMMAND)
    assert both.holds("run_1", digest, old.sign("run_1", COMMAND))
    assert not new.holds("run_1", digest, old.sign("run_1", COMMAND))


def test_without_a_secret_nothing_is_signed_and_nothing_holds() -> None:
    none = CommandProofs()
    assert (bool(none), none.sign("run_1", COMMAND)) == (False, "")
    assert not none.holds("run_1", digest_of("redirect", received(COMMAND)), "")
    assert not CommandProofs([OLD]).holds_carried("run_1", "")


def test_the_cancel_of_a_batch_is_proved_with_all_its_fields() -> None:
    cancel = BatchCancel(command_id="c", by="ann", reason="enough")
    digest = cancel.digest()
    assert cancel.model_copy(update={"proof": "x"}).digest() == digest
    for changes in ({"by": "eve"}, {"reason": ""}, {"command_id": "d"}, {"on_behalf_of": "bob"}):
        assert cancel.model_copy(update=changes).digest() != digest


def test_a_command_without_a_proof_is_temporals_where_one_is_needed() -> None:
    claimed = DECIDE.model_copy(update={"by": "ann", "key_id": "k"})
    taken = unproven(claimed, needed=True)
    assert isinstance(taken, Decide)
    assert (taken.by, taken.on_behalf_of, taken.verified) == ("temporal", "ann", False)
    assert taken.key_id == ""
    taken = unproven(claimed, needed=False)
    assert isinstance(taken, Decide)
    assert (taken.by, taken.verified, taken.key_id) == ("ann", True, "")
    own = unproven(Cancel(by="temporal"), needed=True)
    assert (own.by, own.on_behalf_of, own.verified) == ("temporal", "", False)


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (
            CommandAccepted(command_id="c", kind=COMMAND.kind, by="ann", on_behalf_of="bob"),
            {"by": "temporal", "on_behalf_of": "ann", "verified": False},
        ),
        (
            ApprovalResolved(approval_id="a", decision="approve", by="ann", at=NOW, key_id="k"),
            {"by": "temporal", "on_behalf_of": "ann", "verified": False, "key_id": None},
        ),
        (RunCancelled(by="ann", reason="why"), {"by": "temporal", "reason": "why"}),
        (RunPaused(by="ann"), {"by": "temporal"}),
        (MessageCompleted(text="hello", finish_reason="stop"), {"text": "hello", "by": None}),
    ],
)
def test_an_unverified_fact_names_temporal_and_keeps_the_claim_beside_it(
    body: EventBody, data: dict[str, object]
) -> None:
    told = json.loads(NewEvent(body=unverified(body)).data_json())
    assert {name: told.get(name) for name in data} == data


def test_verified_facts_say_nothing_of_it() -> None:
    body = CommandAccepted(command_id="c", kind=COMMAND.kind, by="ann")
    assert json.loads(NewEvent(body=body, proof="p").data_json()) == {
        "command_id": "c",
        "kind": "redirect",
        "by": "ann",
    }
