"""A whole run: what is a secret of the worker stays in the worker."""

from __future__ import annotations

from temporalio.client import Client

from relayline.runtime.redaction import HIDDEN
from tests.dev_stack import WORKERS_OWN, DevStack


async def test_a_workers_secret_is_in_no_answer_no_output_and_no_history(stack: DevStack) -> None:
    half = len(WORKERS_OWN) // 2
    run_id = await stack.submit(
        {"call": "calculate", "arguments": {"expression": f"1 + {WORKERS_OWN}"}},
        {"say": f"the token is {WORKERS_OWN[:half]}{WORKERS_OWN[half:]}."},
    )
    run = await stack.ended(run_id)
    assert run["output"] == f"the token is {HIDDEN}."
    his_own = {"message.user", "run.queued"}  # the input, and the title that is its beginning
    written = [it for it in await stack.events(run_id) if it["type"] not in his_own]
    assert WORKERS_OWN not in str(written)
    client = await Client.connect(stack.state["temporal"]["address"])
    history = await client.get_workflow_handle(run_id).fetch_history()
    results = [
        it for it in history.events if it.HasField("activity_task_completed_event_attributes")
    ]
    assert len(results) >= 2
    assert WORKERS_OWN not in str(results)
