"""What is promised about time holds by the numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from relayline.workflows.policy import CALL_RETRY, HEARTBEAT_TIMEOUT


@pytest.mark.slow
def test_a_call_is_taken_up_within_5_s_however_often_its_worker_has_died() -> None:
    assert CALL_RETRY.maximum_interval is not None
    assert CALL_RETRY.maximum_attempts == 0
    assert HEARTBEAT_TIMEOUT + CALL_RETRY.maximum_interval < timedelta(seconds=4)
