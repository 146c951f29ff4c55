"""What is counted of a campaign."""

from __future__ import annotations

import json

from relayline.projections.valid import superseded_attempts
from tests.chaos.figures import cut_answers
from tests.chaos.samples import instead, lines, observed, placed


def test_an_answer_is_cut_when_its_worker_is_gone_not_when_it_fails() -> None:
    [void] = superseded_attempts(placed(lines()[:4]), scope="0/step/1", step=1, attempt=2)
    gone = json.loads(void.data_json())
    failed = {**gone, "reason": "model-unavailable"}
    assert cut_answers(observed(instead("attempt.superseded", data=gone))) == 1
    assert cut_answers(observed(instead("attempt.superseded", data=failed))) == 0
