"""Validates a request for a run and makes the workflow's input of it."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from relayline.api.bodies import RunRequest
from relayline.api.errors import InvalidField, TooLarge
from relayline.catalog.models import UnknownModelName, parse_model
from relayline.catalog.rehearsal import MalformedScript, validate_script
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


class RunValidator:
    """Validates requests against the agents and the limits."""

    def __init__(self, agents: Mapping[str, AgentSpec], limits: RequestLimits) -> None:
        self._agents = agents
        self._limits = limits

    def check(self, request: RunRequest, run_id: str) -> RunInput:
        """The workflow's input.

        Raises:
            InvalidField: an unknown agent or model, too many metadata keys, a tenant that Temporal
                could not list, a webhook.
            TooLarge: the input is too long.
        """
        if request.webhook is not None:
            raise InvalidField(
                "webhook: not supported by this version; follow the run's events instead",
                slug="not-offered",
                field="webhook",
            )
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
        _check_script(agent, request)
        return RunInput(
            run_id=run_id,
            agent=agent,
            input=request.input,
            metadata=metadata,
            tenant=_tenant(metadata),
            request_sha256=digest(request),
        )

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
        return agent.model_copy(update=changes)


def digest(request: RunRequest) -> str:
    """SHA-256 of the request in canonical JSON: absent and null are the same."""
    given = request.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    canonical = json.dumps(given, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _tenant(metadata: Mapping[str, str]) -> str:
    """The tenant of the run.

    Temporal would accept one that its visibility store can't hold, and never list the run.

    Raises:
        InvalidField: it is too long, or has control characters.
    """
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
