"""MCP servers as a source of tools: what runs pin of them, and the rules for their tools."""

from __future__ import annotations

from relayline.contracts.mcp.digests import TOOL_META, call_digest, lock_digest
from relayline.contracts.mcp.effects import Hints, Override, approval_of, effects_of
from relayline.contracts.mcp.naming import clash_of, told_name
from relayline.contracts.mcp.served import ServedTool
from relayline.contracts.mcp.tools import (
    MAX_ROUNDS,
    LeftOutTool,
    Listing,
    McpAnswer,
    McpQuestion,
    McpQuestions,
    McpRound,
    McpToolSpec,
    MissingServer,
)

__all__ = [
    "MAX_ROUNDS",
    "TOOL_META",
    "Hints",
    "LeftOutTool",
    "Listing",
    "McpAnswer",
    "McpQuestion",
    "McpQuestions",
    "McpRound",
    "McpToolSpec",
    "MissingServer",
    "Override",
    "ServedTool",
    "approval_of",
    "call_digest",
    "clash_of",
    "effects_of",
    "lock_digest",
    "told_name",
]
