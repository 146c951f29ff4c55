"""What a Relayline process says of a tool that it serves over MCP, under `_meta`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from relayline.contracts.frozen import Frozen
from relayline.contracts.runs import ApprovalRule, ToolSpec


class ServedTool(Frozen):
    """The value of `relayline/tool` in the tool's `_meta`; believed of a trusted server alone."""

    effects: Literal["safe", "unsafe"]
    approval: Literal["never", "always"] | ApprovalRule
    approval_timeout_s: float = Field(gt=0, le=30 * 86_400)
    timeout_s: float = Field(gt=0)
    retries: int = Field(ge=0)

    @classmethod
    def of(cls, spec: ToolSpec) -> ServedTool:
        """What the tool's spec says."""
        return cls(
            effects=spec.effects,
            approval=spec.approval,
            approval_timeout_s=spec.approval_timeout_s,
            timeout_s=spec.timeout_s,
            retries=spec.retries,
        )
