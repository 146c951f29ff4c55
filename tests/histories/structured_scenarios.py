"""The paths of answers that must be JSON through `AgentRun`."""

from __future__ import annotations

from tests.dev_stack import DevStack

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
WRONG = {"answer": {"town": "Bern"}}
RIGHT = {"answer": {"city": "Bern"}}


async def answer_rejected(stack: DevStack) -> str:
    """A conversation: in each turn an answer that does not fit and one that does; then closed."""
    look = {"call": "calculate", "arguments": {"expression": "6*7"}}
    run_id = await stack.submit(WRONG, look, RIGHT, output_schema=CITY, open=True)
    await stack.seen(run_id, "turn.completed")
    await stack.send(
        run_id, "messages", content='{"rehearse": [{"answer": "Bern"}, {"answer": {"city": "B"}}]}'
    )
    await stack.seen_text(run_id, "turn 2 begins")
    await stack.send(run_id, "close")
    return run_id


async def answers_rejected(stack: DevStack) -> str:
    """No answer fits: the run fails."""
    return await stack.submit(WRONG, {"answer": "Bern"}, WRONG, RIGHT, output_schema=CITY)


STRUCTURED = (answer_rejected, answers_rejected)
