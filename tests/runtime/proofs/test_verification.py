"""Workers verify proofs before they append what tells of a command."""

from __future__ import annotations

import logging

import pytest

from relayline.contracts.access.proofs import CommandProofs, carried, digest_of
from relayline.contracts.calls import RecordRequest
from relayline.contracts.commands import CommandKind, Pause
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.events import CommandAccepted, RunPaused, StepStarted
from relayline.runtime.proofs.verification import Verification

PROOFS = CommandProofs([b"k" * 32])
COMMAND = Pause(command_id="c1", by="ann")
ACCEPTED = CommandAccepted(command_id="c1", kind=CommandKind.PAUSE, by="ann")


def request(run_id: str = "run_1", proof: str | None = None) -> RecordRequest:
    """The facts of a pause, and one that tells of no command."""
    digest = digest_of("pause", COMMAND.model_dump(mode="json"))
    text = carried(digest, PROOFS.sign("run_1", COMMAND) if proof is None else proof)
    facts = (
        NewEvent(key="a", body=StepStarted(model="m")),
        NewEvent(key="b", body=ACCEPTED, proof=text),
        NewEvent(key="c", body=RunPaused(by="ann"), proof=text),
    )
    return RecordRequest(run_id=run_id, epoch=0, outbox=Outbox(facts=facts))


def told(verification: Verification, asked: RecordRequest) -> list[object]:
    """Who the facts say has sent the pause."""
    checked = verification.checked(asked)
    assert checked.outbox.facts[0] == asked.outbox.facts[0]
    return [getattr(fact.body, "by", None) for fact in checked.outbox.facts[1:]]


def test_a_proved_command_stays_as_it_is() -> None:
    asked = request()
    assert Verification(PROOFS).checked(asked) == asked


@pytest.mark.parametrize("asked", [request("run_2"), request(proof="00"), request(proof="")])
def test_an_unproved_command_is_told_as_temporals_with_one_warning(
    asked: RecordRequest, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert told(Verification(PROOFS), asked) == ["temporal", "temporal"]
    assert [it.message for it in caplog.records] == ["the proof of a command does not hold"]
    assert "00" not in caplog.text


def test_a_worker_without_the_secret_believes_nothing_and_says_why_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    verification = Verification(CommandProofs())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert told(verification, request()) == ["temporal", "temporal"]
    [record] = caplog.records
    assert (record.levelname, "RELAYLINE_SECRET" in record.message) == ("ERROR", True)


def test_requests_without_proofs_are_passed_on_untouched() -> None:
    asked = RecordRequest(
        run_id="run_1", epoch=0, outbox=Outbox(facts=(NewEvent(key="b", body=ACCEPTED),))
    )
    assert Verification(PROOFS).checked(asked) is asked
    assert Verification(PROOFS).checked("anything") == "anything"
