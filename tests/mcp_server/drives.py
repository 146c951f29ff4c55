"""Drives our MCP server with fastmcp, in an environment that has it; prints what came of it.

    python drives.py COMMAND…

It imports nothing of ours: it is a client as other people write them.
"""

# It runs where fastmcp is, which is not here:
# mypy: ignore-errors

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp_tasks import call_tool_task


def script(*items):
    return {"message": json.dumps({"rehearse": items})}


def text(result):
    return "".join(block.text for block in result.content)


async def runs(client, asked):
    """Results, and what a person is asked on the way."""
    said = {"tools": [tool.name for tool in await client.list_tools()]}
    said["result"] = text(await client.call_tool("run_steered", script({"say": "forty-two"})))
    asks = {"call": "ask_user", "arguments": {"question": "Which colour?"}}
    pays = {"call": "pay", "arguments": {"amount": 500}}
    for name, item, end in (("question", asks, "So be it."), ("approval", pays, "Paid.")):
        said[name] = text(await client.call_tool("run_steered", script(item, {"say": end})))
    return {**said, "asked": asked}


async def steered(client):
    """A cancel, a refusal, and what the reading tools say."""
    long = script({"tokens": 9999, "every_ms": 50})
    task = await call_tool_task(client, "run_steered", long)
    await task.cancel()
    said = {"cancelled": (await task.wait(timeout=60)).status}

    async def told(name, **arguments):
        return await client.call_tool(name, arguments, raise_on_error=False)

    refused = await told("run_nobody", message="hi")
    said["refused"] = [refused.is_error, text(refused)]
    listed = json.loads(text(await told("list_runs", limit=5)))["runs"]
    said["statuses"] = [it["status"] for it in listed]
    page = json.loads(text(await told("read_events", run_id=listed[-1]["run_id"])))
    said["first"] = page["events"][0]["type"]
    view = json.loads(text(await told("get_run", run_id=listed[0]["run_id"], wait_s=1)))
    said["view"] = view["status"]
    said["bounded"] = text(await told("get_run", run_id="x", wait_s=99))
    return said


async def main():
    asked = []

    async def person(message, response_type, params, context):
        asked.append(message)
        fields = params.requested_schema["properties"]
        return {"decision": "approve"} if "decision" in fields else {"answer": "green"}

    command, *words = sys.argv[1:]
    async with Client(StdioTransport(command, words), elicitation_handler=person) as client:
        said = {**await runs(client, asked), **await steered(client)}
    sys.stdout.write(json.dumps(said) + "\n")


asyncio.run(main())
