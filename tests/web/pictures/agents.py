"""The agents of the pictures: a shop's support, and those who write its releases and reports."""

from __future__ import annotations

import asyncio
from typing import Literal

from relayline.catalog.agents import Agent
from relayline.catalog.tools import ToolContext, ToolError, tool
from relayline.contracts.runs import ApprovalRule

MODULE = "tests.web.pictures.agents"
MODEL = "compatible:atlas-2"


@tool
async def search_orders(customer: str, since: str) -> dict[str, object]:
    """Orders of a customer since a day."""
    await asyncio.sleep(0.9)
    return {"orders": [{"id": "A-20417", "total": 184.9, "placed": "2026-11-12"}], "since": since}


@tool
async def carrier_status(order: str) -> dict[str, str]:
    """What the carrier says of a parcel."""
    await asyncio.sleep(1.6)
    return {"order": order, "state": "damaged in transit", "at": "2026-11-14"}


@tool(retries=3)
async def policy_lookup(topic: str, context: ToolContext) -> str:
    """A section of the handbook."""
    await asyncio.sleep(0.7)
    if context.attempt < 3:
        raise ToolError("the handbook answered 503")
    return f"§4.2 {topic}: full refund up to 250 EUR"


@tool(
    effects="unsafe",
    approval=ApprovalRule(when={"properties": {"amount": {"exclusiveMinimum": 50}}}),
)
async def refund(
    order: str,
    amount: float,
    reason: str,
    currency: Literal["EUR", "USD"] = "EUR",
    notify_customer: bool = True,
) -> str:
    """Pay money back."""
    await asyncio.sleep(0.4)
    return f"refunded {amount:.2f} {currency} of {order}: {reason}, notified: {notify_customer}"


support = Agent(
    "support",
    instructions="You answer customers of a shop for coffee machines.",
    model=MODEL,
    tools=(search_orders, carrier_status, policy_lookup, refund),
)
releaser = Agent("releaser", model=MODEL, tools=("read_file", "write_file", "ask_user"))
researcher = Agent("researcher", model=MODEL, tools=("read_file", "sleep", "calculate"))
