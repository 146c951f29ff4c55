"""What runs of a family rehearse."""

from __future__ import annotations

import json
from typing import Any

Item = dict[str, Any]


def rehearsal(*items: Item) -> str:
    """The input of a run that plays these items."""
    return json.dumps({"rehearse": list(items)})


def asks(agent: str, *items: Item) -> Item:
    """One call of that agent, whose run plays the items."""
    return {"call": f"ask_{agent}", "arguments": {"message": rehearsal(*items)}}


def asks_all(*calls: Item) -> Item:
    """Several calls in one answer."""
    return {"calls": [{"name": it["call"], "arguments": it["arguments"]} for it in calls]}


def says(text: str) -> Item:
    """The end of a script."""
    return {"say": text}
