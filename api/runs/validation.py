"""Validates a request for a run and makes the workflow's input of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from relayline.api.bodies import IDLE_S, MAX_FILES, Body, OpenRequest, RunRequest
from relayline.api.documents import refusal_of
from relayline.api.errors import InvalidField, TooLarge
from relayline.api.part_bodies import parts_in, text_in
from relayline.api.runs.admission.models import (
    Changes,
    with_model,
    with_output_schema,
    with_settings,
)
from relayline.api.runs.admission.rights import check_scopes, tenant_of
from relayline.api.runs.later import start_of
from relayline.api.runs.receivers import webhook_of
from relayline.catalog.family import reachable
from relayline.catalog.models import is_rehearsal
from relayline.catalog.rehearsal import MalformedScript, validate_script
from relayline.contracts.files.parts import Part, files_in
from relayline.contracts.principals import ANYBODY, Principal
from relayline.contracts.runs import AgentSpec, Past, RunInput, Said


@dataclass(frozen=True)
class RequestLimits:
    """Size limits of a request."""

    max_input_bytes: int
    max_metadata_keys: int
    max_retention_days: float = 0
    """Days for which the events of an ended run are kept at most; 0: forever."""


def run_request(body: object) -> RunRequest:
    """The body of `POST /v1/runs` where it is part of another one.

    Raises:
        InvalidField: it is none.
    """
    try:
        return RunRequest.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise refusal_of([{**it, "loc": ("body", *it["loc"])} for it in found]) from error


class RunValidator:
    """Validates requests against the agents and the limits."""

    def __init__(
        self,
        agents: Mapping[str, AgentSpec],
        limits: RequestLimits,
        has_price: Callable[[str], bool] = lambda _: False,
        fresh: Callable[[str | None], Awaitable[None]] | None = None,
    ) -> None:
        self._agents = agents
        self._fresh = fresh
        self._limits = limits
        self._has_price = has_price

    def check(
        self,
        request: RunRequest,
        run_id: str,
        submitted_at: datetime | None = None,
        sender: Principal = ANYBODY,
    ) -> RunInput:
        """The workflow's input.

        Args:
            request: The body.
            run_id: The run's id.
            submitted_at: When it was submitted; the default is now.
            sender: Who submits it: the run is its tenant's.

        Raises:
            Forbidden: the sender may not ask for such limits, or name a URL to be told.
            InvalidField: an unknown agent or model, a schema that no answer can be asked for by, a
                limit of cost without a known price, too many metadata keys, a tenant that Temporal
                could not list, a longer retention than the deployment's, a time of start that can't
                be.
            TooLarge: the input is too long.
        """
        metadata = request.metadata or {}
        text, parts, history = text_in(request.input), parts_in(request.input), _history(request)
        self.check_size("input", text)
        if history:
            texts = (it.content for it in history)
            self.check_size("history", text, *texts)
            _check_files([parts, *(it.parts for it in history)])
        self.check_metadata(metadata)
        agent = self.changed(self.agent(request.agent), request)
        check_scopes(request, self._agents[request.agent], sender)
        check_script(agent, text)
        tenant = tenant_of(metadata, sender)
        return RunInput(
            run_id=run_id,
            agent=agent,
            input=text,
            parts=parts,
            agents=self.asked_by(agent),
            metadata=metadata,
            tenant=tenant,
            by=sender.subject,
            user=request.user or sender.subject,
            webhook=webhook_of(request.webhook, tenant),
            request_sha256=digest(request),
            start_at=start_of(request, submitted_at or datetime.now(UTC)),
            priority=request.priority,
            fairness_key=request.fairness_key,
            retention_days=self._retention(request, agent),
            idle_s=_idle_s(request),
            past=_past(history),
        )

    def check_size(self, field: str, *texts: str) -> None:
        """Return if all that a run is given to begin with is not too long.

        Raises:
            TooLarge: it is; `field` and the limit are named.
        """
        size, most = sum(len(text.encode()) for text in texts), self._limits.max_input_bytes
        if size > most:
            raise TooLarge(
                f"{field}: {size} bytes, at most {most} are allowed",
                slug="input-too-large",
                field=field,
                limit=most,
            )

    def check_metadata(self, metadata: Mapping[str, str]) -> None:
        """Return if there are not too many keys.

        Raises:
            InvalidField: there are.
        """
        most = self._limits.max_metadata_keys
        if len(metadata) > most:
            raise InvalidField(
                f"metadata: {len(metadata)} keys, at most {most} are allowed",
                field="metadata",
                limit=most,
            )

    def _retention(self, request: RunRequest, agent: AgentSpec) -> float | None:
        """Days after its end after which the run is erased; None: without a time of its own.

        Raises:
            InvalidField: the request asks for more than the deployment keeps.
        """
        most, asked = self._limits.max_retention_days, request.retention_days
        if asked is not None and most and asked > most:
            raise InvalidField(
                f"retention_days: {asked:g}, at most {most:g} are allowed "
                "(RELAYLINE_RETENTION_DAYS)",
                field="retention_days",
                limit=most,
            )
        days = agent.retention_days if asked is None else asked
        return min(days, most) if days is not None and most else days

    async def fresh(self, wanted: str | None = None) -> None:
        """Take the agents of now; call it before a check.

        Args:
            wanted: The agent that will be asked for.
        """
        if self._fresh:
            await self._fresh(wanted)

    def known(self, name: str) -> AgentSpec | None:
        """The agent of that name in the catalog; None if there is none."""
        return self._agents.get(name)

    def agent(self, name: str) -> AgentSpec:
        """The agent of that name in the catalog.

        Raises:
            InvalidField: there is none.
        """
        agent = self._agents.get(name)
        if agent is None:
            known = sorted(self._agents)
            raise InvalidField(
                f"agent: no agent {name!r}; there are {', '.join(known)}",
                slug="unknown-agent",
                field="agent",
                known=[*known],
            )
        return agent

    def asked_by(self, agent: AgentSpec) -> dict[str, AgentSpec]:
        """The agents that it may ask, and those that these may ask, by name."""
        return reachable(self._agents, agent)

    def changed(self, agent: AgentSpec, request: Changes | None = None) -> AgentSpec:
        """The agent with the model, settings, limits and output schema of the request, if any.

        Raises:
            InvalidField: the model is unknown or not allowed, can't take one of the settings, or
                has no known price to hold a limit against; the last two of its fallbacks, too. Or
                no answer can be asked for by the schema.
        """
        merged = agent
        if request is not None:
            merged = with_settings(with_model(agent, request.model), request.settings)
            merged = with_output_schema(merged, request.output_schema)
        if request is not None and request.limits is not None:
            given = request.limits.model_dump(exclude_unset=True)
            limits = agent.limits.model_copy(update=given)
            merged = merged.model_copy(update={"limits": limits})
        priceless = (it for it in merged.candidates if not self._has_price(it))
        if merged.limits.max_cost is not None and (model := next(priceless, None)):
            raise InvalidField(
                f"limits.max_cost: the price of {model} is not known; leave it out, or have "
                "the operator set RELAYLINE_PRICES",
                slug="unknown-price",
                field="limits.max_cost",
            )
        return merged


def _history(request: RunRequest) -> tuple[Said, ...]:
    """What the request says was said before."""
    return tuple(
        Said(role=it.role, content=text_in(it.content), parts=parts_in(it.content))
        for it in request.history or ()
    )


def _check_files(said: Sequence[Sequence[Part]]) -> None:
    """Return if so many images and files can be looked up and shown.

    Raises:
        InvalidField: there are too many.
    """
    count = sum(len(files_in(parts)) for parts in said)
    if count > MAX_FILES:
        raise InvalidField(
            f"history: {count} images and files with the input, at most {MAX_FILES} are allowed",
            field="history",
            limit=MAX_FILES,
        )


def _past(history: tuple[Said, ...]) -> Past | None:
    """The past of a run with that history: each of its answers is a step."""
    answers = sum(it.role == "assistant" for it in history)
    return Past(step=answers + 1, history=history) if history else None


def _idle_s(request: RunRequest) -> float | None:
    """Seconds for which a conversation may be idle; None for a run that is none."""
    if isinstance(request.open, OpenRequest):
        return request.open.idle_s
    return IDLE_S if request.open else None


def digest(request: Body, **named: str) -> str:
    """SHA-256 of the request in canonical JSON, with what its path names.

    Absent and null are the same.
    """
    given = request.model_dump(mode="json", exclude_unset=True, exclude_none=True) | named
    canonical = json.dumps(given, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def check_script(agent: AgentSpec, text: str, field: str = "input") -> None:
    """Refuse a malformed script, whose run could only fail.

    Raises:
        InvalidField: the message names the item and the field.
    """
    if not is_rehearsal(agent.model):
        return
    try:
        validate_script(text)
    except MalformedScript as error:
        raise InvalidField(f"{field}: {error}", slug="bad-script", field=field) from error
