"""Digests of a tool's definition, as its MCP server lists it. Pure.

Two: one for the call, which notices a tool that does something else than what was listed, and one
for the lock file, which also covers what only the model reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from pydantic import JsonValue

TOOL_META = "relayline/tool"
"""The key in a tool's `_meta` with which a Relayline process tells effects and approvals."""
_CALLED = ("name", "inputSchema", "outputSchema", "annotations")
_READ = ("description",)


def call_digest(definition: Mapping[str, JsonValue]) -> str:
    """Digest of what matters for a call: name, schemas, annotations, `_meta[relayline/tool]`.

    Args:
        definition: The tool as in the answer to `tools/list`.

    Returns:
        SHA-256 in hex. A part that is absent and one that is null count as the same.
    """
    return _digest(definition, _CALLED)


def lock_digest(definition: Mapping[str, JsonValue]) -> str:
    """The same with the description; it is what a lock file accepts."""
    return _digest(definition, (*_CALLED, *_READ))


def _digest(definition: Mapping[str, JsonValue], keys: tuple[str, ...]) -> str:
    parts = {key: definition.get(key) for key in keys}
    meta = definition.get("_meta")
    parts[TOOL_META] = meta.get(TOOL_META) if isinstance(meta, Mapping) else None
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
