"""What is promised about time holds by the numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from relayline.runtime.beats.window import Timing
from relayline.workflows.policy import CALL_RETRY, HEARTBEAT_TIMEOUT


@pytest.mark.slow
def test_a_call_is_taken_up_within_5_s_however_often_its_worker_has_died() -> None:
    assert CALL_RETRY.maximum_interval is not None
    assert CALL_RETRY.maximum_attempts == 0
    assert timedelta(seconds=Timing().patience_s) + CALL_RETRY.maximum_interval < timedelta(
        seconds=4
    )


def test_the_net_behind_the_beats_costs_a_call_a_heartbeat_in_20_s() -> None:
    assert timedelta(seconds=20) == HEARTBEAT_TIMEOUT / 3
