"""The status of a run that was submitted for later, from its facts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from relayline.contracts.envelope import Envelope
from relayline.contracts.runs import RunStatus
from relayline.projections.waits import Waits

AT = datetime(2026, 11, 30, tzinfo=UTC).isoformat()
QUEUED: dict[str, object] = {"agent": "a", "model": "m", "submitted_at": AT, "start_at": AT}
STARTED: dict[str, object] = {"agent": "a", "model": "m", "limits": {}}


def status(*events: tuple[str, dict[str, object]]) -> RunStatus:
    waits = Waits()
    for seq, (kind, data) in enumerate(events, 1):
        waits = waits.apply(
            Envelope.model_validate(
                {"seq": seq, "run_id": "run_0", "at": AT, "type": kind, "data": data}
            )
        )
    return waits.status


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], RunStatus.SCHEDULED),
        ([("run.paused", {})], RunStatus.PAUSED),
        ([("run.paused", {}), ("run.resumed", {})], RunStatus.SCHEDULED),
        ([("run.started", STARTED)], RunStatus.RUNNING),
        ([("run.cancelled", {})], RunStatus.CANCELLED),
        ([("run.started", STARTED), ("run.rewound", {"to_seq": 1})], RunStatus.SCHEDULED),
        ([("run.started", STARTED), ("run.rewound", {"to_seq": 2})], RunStatus.RUNNING),
        ([("run.cancelled", {}), ("run.rewound", {"to_seq": 1})], RunStatus.SCHEDULED),
    ],
)
def test_a_run_is_scheduled_until_it_starts(
    events: list[tuple[str, dict[str, object]]], expected: RunStatus
) -> None:
    assert status(("run.queued", QUEUED), *events) is expected
