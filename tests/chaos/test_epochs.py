"""Which keys facts may have after a reset, and what a fork begins with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from relayline.contracts.envelope import StoredEvent
from tests.chaos.epochs import complaints
from tests.chaos.observed import Observed, first_said

Fact = tuple[str, str, dict[str, Any]]
STARTED: Fact = ("step.started", "0/step/1/started", {})
ASKED: Fact = (
    "child.started",
    "1/call/call_1_0/child",
    {"call_id": "call_1_0", "run_id": "run_below"},
)
ENDED: Fact = ("tool.completed", "1/call/call_1_0/result", {"call_id": "call_1_0"})


def rewound(epoch: int, to_seq: int) -> Fact:
    return "run.rewound", f"rewound/{epoch}", {"epoch": epoch, "to_seq": to_seq}


@pytest.mark.parametrize("asked", [True, False])
def test_a_call_that_waits_for_a_run_ends_under_the_epoch_in_which_it_began(asked: bool) -> None:
    """It has begun after one reset, in a step from before that, and the next leaves it open."""
    facts = [STARTED, rewound(1, 1), *[ASKED] * asked, rewound(2, 2 + asked), ENDED]
    stored = [
        StoredEvent("run_1", seq, 0, kind, 1, 1, key, json.dumps(data))
        for seq, (kind, key, data) in enumerate(facts, 1)
    ]
    found = [str(why) for _, why in complaints(Observed("run_1", stored, resets=2))]
    assert found == [] if asked else found == ["1/call/call_1_0/result at 4, in epoch 2"]


def test_a_fork_of_a_run_that_heard_nothing_begins_with_its_own_message() -> None:
    said = [("run.forked", {"to_seq": 2}), ("message.user", {"text": "own"})]
    heard = [("message.user", {"text": "its origin's"}), *said]
    for facts, first in ((said, "own"), (heard, "its origin's"), (said[:1], "")):
        stored = [
            StoredEvent("run_1", seq, 0, kind, None, None, None, json.dumps(data))
            for seq, (kind, data) in enumerate(facts, 1)
        ]
        assert first_said(stored) == first
