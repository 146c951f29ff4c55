"""A model call whose workers have died is not made again."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError

from relayline.activities.model.port import TextPart
from relayline.contracts.errors import ErrorType
from relayline.contracts.keys import step_scope
from relayline.journal.port import Journal
from tests.activities.lost import lost
from tests.activities.model.model_calls import Run, finished


async def test_it_fails_as_worker_lost(journal: Journal) -> None:
    run = Run(journal)
    await lost(journal, run.id, step_scope(0, 1), 4)
    with pytest.raises(ApplicationError, match="the model call has taken its worker") as raised:
        await run.call(finished(TextPart("hello")), attempt=5)
    assert (raised.value.type, raised.value.non_retryable) == (ErrorType.WORKER_LOST, True)
    assert "message.completed" not in await run.types()


async def test_one_loss_less_lets_it_speak(journal: Journal) -> None:
    run = Run(journal)
    await lost(journal, run.id, step_scope(0, 1), 3)
    await run.call(finished(TextPart("hello")), attempt=4)
    assert (await run.types())[-1] == "message.completed"
