"""What a build of the workers can run, as data: the specs of its catalog."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property

from relayline.contracts.frozen import Frozen
from relayline.contracts.runs import AgentSpec, ToolSpec


class CatalogSpecs(Frozen):
    """The agents and tools of a catalog, without their code."""

    agents: tuple[AgentSpec, ...] = ()
    """By name."""
    tools: tuple[ToolSpec, ...] = ()
    """By name; those of the agents, and those that none of them has."""

    @classmethod
    def of(cls, agents: Mapping[str, AgentSpec], tools: Mapping[str, ToolSpec]) -> CatalogSpecs:
        """Those of the catalog with these."""
        listed = [agents[name] for name in sorted(agents)]
        return cls(agents=tuple(listed), tools=tuple(tools[name] for name in sorted(tools)))

    @cached_property
    def sha256(self) -> str:
        """Digest of the specs as JSON; hexadecimal."""
        return hashlib.sha256(self.stored().encode()).hexdigest()

    def stored(self) -> str:
        """The specs as JSON."""
        return self.model_dump_json()
