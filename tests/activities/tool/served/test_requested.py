"""What people are told when a call of an MCP server's tool waits for them."""

from __future__ import annotations

from temporalio.testing import ActivityEnvironment

from relayline.activities.record import RecordActivities
from relayline.contracts.calls import RecordRequest
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.events import ApprovalRequested, EventBody, InputRequested
from relayline.contracts.keys import asked_id, asked_key, requested_key, tools_key
from relayline.contracts.mcp import McpQuestion, McpQuestions
from relayline.journal.table import EVERY
from tests.activities.fake_servers import TEXT
from tests.activities.tool.conftest import CALL, Bench
from tests.activities.tool.served.serving import Served

WHERE = McpQuestion(key="where", message="Where to?", answer_schema=TEXT)
SURE = McpQuestion(key="sure", message="Sure?")


async def written(bench: Bench, id_: str, body: EventBody, source: str) -> EventBody:
    """The request as the journal has it."""
    fact = NewEvent(key=requested_key(id_), body=body, step=1, source=source)
    request = RecordRequest(run_id=bench.run_id, epoch=0, outbox=Outbox(facts=(fact,)))
    await ActivityEnvironment().run(RecordActivities(bench.journal).record_facts, request)
    stored = await bench.journal.get(EVERY, bench.run_id, requested_key(id_))
    assert stored is not None
    assert source not in stored.data
    return stored.body()


async def test_an_approval_has_the_schema_and_the_rule_that_the_run_has_pinned(
    bench: Bench,
) -> None:
    run = Served(bench, approval="always")
    await run.plan()
    asked = ApprovalRequested(
        approval_id="approval_1_0", call_id=CALL, tool="notes_add", server="notes"
    )
    body = await written(bench, "approval_1_0", asked, tools_key(0))
    assert isinstance(body, ApprovalRequested)
    assert (body.arguments, body.parameters, body.why) == ({"text": "x"}, TEXT, "always")
    assert body.server == "notes"


async def test_an_approval_of_a_tool_that_the_list_lacks_shows_the_arguments(
    bench: Bench,
) -> None:
    run = Served(bench)
    await run.plan()
    asked = ApprovalRequested(approval_id="a", call_id=CALL, tool="notes_remove", server="notes")
    body = await written(bench, "a", asked, tools_key(0))
    assert isinstance(body, ApprovalRequested)
    assert (body.arguments, body.parameters, body.why) == ({"text": "x"}, {}, None)


async def test_each_question_has_the_servers_words_and_schema(bench: Bench) -> None:
    run = Served(bench, McpQuestions(questions=(WHERE, SURE), state="s"))
    await run.plan()
    await run.call()
    for number, question in enumerate((WHERE, SURE)):
        id_ = asked_id(0, CALL, 0, number)
        asked = InputRequested(request_id=id_, call_id=CALL, tool="notes_add", server="notes")
        body = await written(bench, id_, asked, asked_key(0, CALL, 0))
        assert isinstance(body, InputRequested)
        assert (body.question, body.data_schema) == (question.message, question.answer_schema)


async def test_a_question_that_the_journal_lacks_stays_empty(bench: Bench) -> None:
    run = Served(bench, McpQuestions(questions=(WHERE,), state="s"))
    await run.plan()
    await run.call()
    for number, source in ((7, asked_key(0, CALL, 0)), (0, "0/nothing")):
        id_ = asked_id(0, CALL, 0, number)
        body = await written(bench, id_, InputRequested(request_id=id_, call_id=CALL), source)
        assert isinstance(body, InputRequested)
        assert (body.question, body.data_schema) == ("", None)
