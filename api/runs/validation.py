"""Validates a request for a run and makes the workflow's input of it."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from relayline.api.auth.port import Forbidden
from relayline.api.bodies import IDLE_S, OpenRequest, RunRequest
from relayline.api.documents import refusal_of
from relayline.api.errors import InvalidField, TooLarge
from relayline.api.runs.later import start_of
from relayline.api.runs.receivers import webhook_of
from relayline.catalog.family import reachable
from relayline.catalog.models import UnknownModelName, parse_model
from relayline.catalog.rehearsal import MalformedScript, validate_script
from relayline.contracts.principals import ANYBODY, Principal, Scope
from relayline.contracts.runs import DEFAULT_TENANT, AgentSpec, RunInput

MAX_TENANT_CHARS = 255
"""The most that Temporal's visibility stores on Postgres and MySQL hold in a keyword."""
MAX_TENANT_BYTES = 680
"""Temporal holds 2,048 bytes of JSON, in which a character has up to three bytes for each of its
bytes in UTF-8."""


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
    ) -> None:
        self._agents = agents
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
            InvalidField: an unknown agent or model, a limit of cost without a known price, too many
                metadata keys, a tenant that Temporal could not list, a longer retention than the
                deployment's, a time of start that can't be.
            TooLarge: the input is too long.
        """
        limits, metadata = self._limits, request.metadata or {}
        size = len(request.input.encode())
        if size > limits.max_input_bytes:
            raise TooLarge(
                f"input: {size} bytes, at most {limits.max_input_bytes} are allowed",
                slug="input-too-large",
                field="input",
                limit=limits.max_input_bytes,
            )
        if len(metadata) > limits.max_metadata_keys:
            raise InvalidField(
                f"metadata: {len(metadata)} keys, at most {limits.max_metadata_keys} are allowed",
                field="metadata",
                limit=limits.max_metadata_keys,
            )
        agent = self._agent(request)
        _check_scopes(request, self._agents[request.agent], sender)
        _check_script(agent, request)
        tenant = _tenant(metadata, sender)
        return RunInput(
            run_id=run_id,
            agent=agent,
            input=request.input,
            agents=reachable(self._agents, agent),
            metadata=metadata,
            tenant=tenant,
            by=sender.subject,
            webhook=webhook_of(request.webhook, tenant),
            request_sha256=digest(request),
            start_at=start_of(request, submitted_at or datetime.now(UTC)),
            priority=request.priority,
            fairness_key=request.fairness_key,
            retention_days=self._retention(request, agent),
            idle_s=_idle_s(request),
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

    def _agent(self, request: RunRequest) -> AgentSpec:
        """The agent's spec with the request's model and limits merged in."""
        agent = self._agents.get(request.agent)
        if agent is None:
            known = sorted(self._agents)
            raise InvalidField(
                f"agent: no agent {request.agent!r}; there are {', '.join(known)}",
                slug="unknown-agent",
                field="agent",
                known=[*known],
            )
        changes: dict[str, object] = {}
        if request.model is not None:
            try:
                parse_model(request.model)
            except UnknownModelName as error:
                raise InvalidField(
                    f"model: {error}", slug="unknown-model", field="model"
                ) from error
            changes["model"] = request.model
        if request.limits is not None:
            given = request.limits.model_dump(exclude_unset=True)
            changes["limits"] = agent.limits.model_copy(update=given)
        merged = agent.model_copy(update=changes)
        if merged.limits.max_cost is not None and not self._has_price(merged.model):
            raise InvalidField(
                f"limits.max_cost: the price of {merged.model} is not known; leave it out, or have "
                "the operator set RELAYLINE_PRICES",
                slug="unknown-price",
                field="limits.max_cost",
            )
        return merged


def _idle_s(request: RunRequest) -> float | None:
    """Seconds for which a conversation may be idle; None for a run that is none."""
    if isinstance(request.open, OpenRequest):
        return request.open.idle_s
    return IDLE_S if request.open else None


def digest(request: RunRequest) -> str:
    """SHA-256 of the request in canonical JSON: absent and null are the same."""
    given = request.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    canonical = json.dumps(given, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _tenant(metadata: Mapping[str, str], sender: Principal) -> str:
    """The tenant of the run: the sender's; while authentication is off, what the metadata say.

    Temporal would accept one that its visibility store can't hold, and never list the run.

    Raises:
        InvalidField: it is not the sender's, too long, or has control characters.
    """
    if sender.tenant is not None:
        if metadata.get("tenant") not in {None, sender.tenant}:
            raise InvalidField(
                "metadata.tenant: the run belongs to the tenant of its credentials; leave it out",
                field="metadata.tenant",
            )
        return sender.tenant
    tenant = metadata.get("tenant") or DEFAULT_TENANT
    if len(tenant) > MAX_TENANT_CHARS:
        raise InvalidField(
            f"metadata.tenant: {len(tenant)} characters, at most {MAX_TENANT_CHARS} are allowed",
            field="metadata.tenant",
            limit=MAX_TENANT_CHARS,
        )
    if (size := len(tenant.encode())) > MAX_TENANT_BYTES:
        raise InvalidField(
            f"metadata.tenant: {size} bytes of UTF-8, at most {MAX_TENANT_BYTES} are allowed",
            field="metadata.tenant",
            limit=MAX_TENANT_BYTES,
        )
    if any(unicodedata.category(char) == "Cc" for char in tenant):
        raise InvalidField(
            "metadata.tenant: control characters are not allowed", field="metadata.tenant"
        )
    return tenant


def _check_scopes(request: RunRequest, agent: AgentSpec, sender: Principal) -> None:
    """Return if the sender may ask for all of it.

    Raises:
        Forbidden: for higher limits than the agent's, or for a receiver by its URL, a scope is
            missing; the message names it.
    """
    if request.webhook and request.webhook.url and Scope.WEBHOOKS_ADMIN not in sender.scopes:
        raise Forbidden.lacks(Scope.WEBHOOKS_ADMIN)
    if request.limits is None or Scope.RUNS_UNLIMITED in sender.scopes:
        return
    for name, asked in request.limits.model_dump(exclude_unset=True).items():
        most = getattr(agent.limits, name)
        if _is_number(most) and (asked is None or asked > most):
            raise Forbidden.lacks(Scope.RUNS_UNLIMITED)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _check_script(agent: AgentSpec, request: RunRequest) -> None:
    """Refuse a malformed script, whose run could only fail.

    Raises:
        InvalidField: the message names the item and the field.
    """
    if agent.model != "rehearsal":
        return
    try:
        validate_script(request.input)
    except MalformedScript as error:
        raise InvalidField(f"input: {error}", slug="bad-script", field="input") from error
