"""The workflow's input of a fork: that of the run, with what the request changes."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from relayline.api.bodies import IDLE_S
from relayline.api.errors import InvalidField
from relayline.api.part_bodies import parts_in, text_in
from relayline.api.runs.admission.rights import check_limits
from relayline.api.runs.forks.place import past_of
from relayline.api.runs.forks.request import ForkRequest
from relayline.api.runs.forks.source import Source
from relayline.api.runs.validation import RunValidator, check_script
from relayline.contracts.principals import Principal
from relayline.contracts.runs import MIDDLE_PRIORITY, AgentSpec, RunInput, ToolSpec

_NAMELESS = "fork"


class ForkInputs:
    """Makes the inputs of forks."""

    def __init__(self, validator: RunValidator) -> None:
        self._validator = validator

    async def fresh(self, wanted: str | None) -> None:
        """Take the agents of now; call it before `make`."""
        await self._validator.fresh(wanted)

    def make(
        self, run_id: str, source: Source, request: ForkRequest, sha256: str, sender: Principal
    ) -> RunInput:
        """The input of that fork.

        Args:
            run_id: The fork's id.
            source: The run of which it is a fork.
            request: The body.
            sha256: Of the whole request.
            sender: Who asks.

        Raises:
            Forbidden: the sender may not have such limits.
            InvalidField: there is no such past, or the agent can't be changed so.
            TooLarge: the message is too long.
        """
        given, row = source.given, source.row
        idle_s = self._idle_s(source) if request.steps is None else None
        past = past_of(request, source.run_id, source.outline, is_open=idle_s is not None)
        agent = self._agent(source, request)
        own = self._validator.known(agent.name) or agent
        check_limits(agent.limits.model_dump(), own.limits, sender)
        content = request.said
        text = None if content is None else text_in(content)
        if text is not None:
            self._validator.check_size(request.field, text)
            check_script(agent, text, request.field)
        return RunInput(
            run_id=run_id,
            agent=agent,
            agents=self._asked(source, agent, request),
            input=text or row.title or _NAMELESS,
            parts=parts_in(content or ""),
            metadata=self._metadata(source, request),
            tenant=row.tenant,
            by=sender.subject,
            user=row.user or sender.subject,
            request_sha256=sha256,
            priority=given.priority if given else row.priority or MIDDLE_PRIORITY,
            fairness_key=given.fairness_key if given else None,
            retention_days=given.retention_days if given else row.retention_days,
            idle_s=idle_s,
            past=past.model_copy(update={"changed": _changed(request)}),
        )

    def _asked(
        self, source: Source, agent: AgentSpec, request: ForkRequest
    ) -> dict[str, AgentSpec]:
        """The agents that the fork may ask: as the run has them, else as they are today."""
        pinned = source.given.agents if source.given and not request.agent else {}
        return {**self._validator.asked_by(agent), **pinned}

    @staticmethod
    def _idle_s(source: Source) -> float | None:
        """As long as the run may be idle; None if it is no conversation."""
        if source.given:
            return source.given.idle_s
        return IDLE_S if source.row.open else None

    def _metadata(self, source: Source, request: ForkRequest) -> dict[str, str]:
        asked = request.metadata or {}
        if asked.get("tenant", source.row.tenant) != source.row.tenant:
            raise InvalidField(
                "metadata.tenant: a fork belongs to the tenant of its run; leave it out",
                field="metadata.tenant",
            )
        metadata = {**(source.row.metadata or {}), **asked}
        self._validator.check_metadata(metadata)
        return metadata

    def _agent(self, source: Source, request: ForkRequest) -> AgentSpec:
        """The agent of the fork."""
        name = source.row.agent or ""
        agent = self._validator.agent(name) if request.agent else source.agent
        if agent is None:
            raise InvalidField(
                f"agent: nobody knows any more what {name} was in this run; "
                "give `catalog` for what it is today",
                slug="agent-forgotten",
                field="agent",
            )
        changes: dict[str, object] = {}
        if request.instructions is not None:
            changes |= {"instructions": request.instructions, "template": False}
        if request.tools is not None:
            changes["tools"] = self._tools(agent, request.tools)
        return self._validator.changed(agent.model_copy(update=changes), request)

    def _tools(self, agent: AgentSpec, names: list[str]) -> tuple[ToolSpec, ...]:
        """The tools of these names: the agent's own, or those that it has today."""
        today = self._validator.known(agent.name)
        known: Mapping[str, ToolSpec] = {
            tool.name: tool for tool in (*(today.tools if today else ()), *agent.tools)
        }
        for index, name in enumerate(names):
            if name not in known or name in names[:index]:
                why = "is named twice" if name in known else "is no tool of the agent"
                raise InvalidField(
                    f"tools.{index}: {name!r} {why}; there are {', '.join(sorted(known))}",
                    slug="unknown-tool",
                    field=f"tools.{index}",
                    known=[*sorted(known)],
                )
        return tuple(known[name] for name in names)


def _changed(request: ForkRequest) -> dict[str, JsonValue]:
    """What the request changes of the agent."""
    names = {"agent", "model", "settings", "instructions", "tools", "limits", "output_schema"}
    return request.model_dump(mode="json", include=names, exclude_unset=True, exclude_none=True)
