"""Facts on their way to the journal: none lost, in order, never too much at once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunQueued, StepStarted, UserMessageEvent
from relayline.contracts.keys import QUEUED_KEY
from relayline.workflows.outbox import MAX_CARGO_BYTES, MAX_CARGOES_BYTES, PendingFacts


def fact(key: str) -> NewEvent:
    return NewEvent(key=key, body=StepStarted(model="m"))


def large(key: str, size: int, letter: str = "x") -> NewEvent:
    return NewEvent(key=key, body=UserMessageEvent(text=letter * size))


def carried(pending: PendingFacts) -> list[str | None]:
    return [each.key for each in pending.cargo().facts]


def test_facts_wait_until_an_activity_that_carried_them_returned() -> None:
    pending = PendingFacts()
    pending.add(fact("a"), fact("b"))
    first = pending.cargo()
    pending.add(fact("b"), fact("c"))
    pending.seal("scope")
    assert carried(pending) == ["a", "b", "c"]
    pending.delivered(first)
    assert carried(pending) == ["c"]
    assert pending.cargo().seals == ("scope",)
    pending.delivered(pending.cargo())
    assert pending.empty


def test_something_is_fresh_until_an_activity_was_given_it() -> None:
    pending = PendingFacts()
    assert not pending.fresh
    pending.add(fact("a"))
    assert pending.fresh
    pending.cargo()
    pending.add(fact("a"))
    assert not pending.fresh
    pending.seal("scope")
    assert pending.fresh


def test_a_fact_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        PendingFacts().add(NewEvent(body=StepStarted(model="m")))


def test_one_huge_fact_still_goes_alone() -> None:
    pending = PendingFacts()
    pending.add(large("huge", MAX_CARGO_BYTES + 1))
    assert not pending.overflows()
    pending.add(fact("b"))
    assert pending.overflows()
    first = pending.cargo()
    assert [each.key for each in first.facts] == ["huge"]
    assert pending.fresh
    pending.delivered(first)
    assert not pending.overflows()
    assert carried(pending) == ["b"]


def test_the_size_of_a_fact_is_that_of_its_bytes() -> None:
    pending = PendingFacts()
    pending.add(fact("a"), large("b", MAX_CARGO_BYTES // 3, "漢"))
    assert pending.overflows()


def test_activities_that_start_together_share_the_room() -> None:
    pending = PendingFacts()
    pending.add(large("a", MAX_CARGOES_BYTES // 8))
    assert not pending.overflows(7)
    assert pending.overflows(8)
    pending.delivered(pending.cargo())
    assert not pending.overflows(32)


SIZES = st.integers(1, MAX_CARGO_BYTES // 2 * 3)


@given(st.lists(st.tuples(SIZES, st.booleans()), max_size=12))
def test_whatever_their_sizes_all_facts_arrive_in_order_and_each_cargo_is_bounded(
    sizes: list[tuple[int, bool]],
) -> None:
    pending, arrived = PendingFacts(), []
    keys = [str(index) for index in range(len(sizes))]
    for key, (size, deliver) in zip(keys, sizes, strict=True):
        pending.add(large(key, size))
        if deliver:
            cargo = pending.cargo()
            pending.delivered(cargo)
            arrived += [each.key for each in cargo.facts]
    for _ in keys:
        cargo = pending.cargo()
        size = sum(len(each.model_dump_json()) for each in cargo.facts)
        assert size <= MAX_CARGO_BYTES or len(cargo.facts) == 1
        pending.delivered(cargo)
        arrived += [each.key for each in cargo.facts]
    assert arrived == keys
    assert pending.empty


def test_after_a_reset_only_keys_that_nobody_may_have_written_change() -> None:
    pending = PendingFacts()
    pending.known.append("0/step/1/message")
    pending.add(fact("0/step/1/message"), fact("0/run/ended"), fact("command/c/outcome"))
    pending.rename("0/", "1/")
    keys = {it.key for it in pending.cargo().facts}
    assert keys == {"0/step/1/message", "1/run/ended", "command/c/outcome"}


def test_what_a_reset_goes_back_to_is_not_told_by_what_signals_lead_to() -> None:
    pending = PendingFacts()
    pending.add(fact("0/step/1/started"), fact("command/c/outcome"), fact("0/waiting/2"))
    pending.cargo()
    assert [*pending.known] == ["0/step/1/started"]


def test_what_was_submitted_takes_no_room() -> None:
    """Histories that were recorded without it need no further activity in a replay."""
    submitted = RunQueued(agent="a", model="m", title="x" * 120, submitted_at=datetime.now(UTC))
    just_fits = MAX_CARGO_BYTES - len(large("input", 0).model_dump_json())
    pending = PendingFacts()
    pending.add(NewEvent(key=QUEUED_KEY, body=submitted), large("input", just_fits))
    assert not pending.overflows()
    assert carried(pending) == [QUEUED_KEY, "input"]
