"""Takes a run in: checks it, gives it an id, starts it once."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from temporalio.exceptions import WorkflowAlreadyStartedError

from relayline.api.bodies import RunRequest
from relayline.api.depends import Services
from relayline.api.errors import InvalidField, KeyReused, TemporalUnavailable, TooLarge
from relayline.api.temporal.execution import Execution
from relayline.catalog.models import UnknownModelName, parse_model
from relayline.catalog.rehearsal import MalformedScript, validate_script
from relayline.contracts.events import RunStarted, UserMessageEvent
from relayline.contracts.runs import DEFAULT_TENANT, AgentSpec, RunInput
from relayline.journal.port import CursorExpired

MAX_TENANT_CHARS = 255
"""What a keyword of Temporal holds where its visibility store is Postgres or MySQL."""


class Submitted(NamedTuple):
    """What came of a submission."""

    run_id: str
    new: bool
    """False when the same key and body had started it before."""


def new_run_id(key: str | None) -> str:
    """`run_` and 32 hex digits: of the key if there is one, else sortable by time."""
    if key is not None:
        return f"run_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    return f"run_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def digest(request: RunRequest) -> str:
    """SHA-256 of the request in canonical JSON: absent and null are the same."""
    given = request.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    canonical = json.dumps(given, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def checked(services: Services, request: RunRequest, run_id: str) -> RunInput:
    """The workflow's input.

    Raises:
        InvalidField: an unknown agent or model, too many metadata keys, a tenant that Temporal
            could not list, a webhook.
        TooLarge: the input.
    """
    if request.webhook is not None:
        raise InvalidField(
            "webhook: not offered by this version; follow the run's events instead",
            slug="not-offered",
            field="webhook",
        )
    limits, metadata = services.limits, request.metadata or {}
    size = len(request.input.encode())
    if size > limits.max_input_bytes:
        raise TooLarge(
            f"input: {size} bytes, at most {limits.max_input_bytes} are taken",
            slug="input-too-large",
            field="input",
            limit=limits.max_input_bytes,
        )
    if len(metadata) > limits.max_metadata_keys:
        raise InvalidField(
            f"metadata: {len(metadata)} keys, at most {limits.max_metadata_keys} are taken",
            field="metadata",
            limit=limits.max_metadata_keys,
        )
    agent = _agent(services, request)
    _check_script(agent, request)
    return RunInput(
        run_id=run_id,
        agent=agent,
        input=request.input,
        metadata=metadata,
        tenant=_tenant(metadata),
        request_sha256=digest(request),
    )


async def start(
    services: Services, request: RunRequest, run: RunInput, key: str | None
) -> Submitted:
    """Start the run, or find the one that the same key has started.

    Raises:
        KeyReused: the key was used with another request.
        TemporalUnavailable: nothing is known to be started; the same key may be sent again.
    """
    if key is not None and await services.journal.head(run.run_id):
        return await _repeated(services, request, run)
    try:
        await services.gateway.start(run)
    except WorkflowAlreadyStartedError:
        return await _repeated(services, request, run)
    services.metrics.runs_submitted.inc()
    return Submitted(run.run_id, new=True)


async def _repeated(services: Services, request: RunRequest, run: RunInput) -> Submitted:
    """The run that the key stands for, if the request is the same."""
    execution: Execution | None
    try:
        execution = await services.gateway.execution(run.run_id)
    except TemporalUnavailable:
        if await services.journal.head(run.run_id) is None:
            raise
        execution = None
    if execution and execution.request:
        same = execution.request.request_sha256 == run.request_sha256
    else:
        same = await _same_in_journal(services, request, run.run_id)
    if not same:
        raise KeyReused(
            f"this Idempotency-Key started {run.run_id} with another body; take a new key",
            run_id=run.run_id,
        )
    return Submitted(run.run_id, new=False)


async def _same_in_journal(services: Services, request: RunRequest, run_id: str) -> bool:
    """Compare with what the run's first facts say; True where they were swept.

    For runs that Temporal has forgotten: a second run would be worse than a lenient answer.
    """
    try:
        facts = [fact.body() for fact in await services.journal.read(run_id, 0, 2, facts=True)]
    except CursorExpired:
        return True
    for body in facts:
        if isinstance(body, UserMessageEvent) and body.text != request.input:
            return False
        if isinstance(body, RunStarted) and not _same_start(request, body):
            return False
    return True


def _same_start(request: RunRequest, started: RunStarted) -> bool:
    asked = request.limits.model_dump(exclude_unset=True) if request.limits else {}
    given = started.limits.model_dump()
    return (
        request.agent == started.agent
        and request.model in {None, started.model}
        and (request.metadata or {}) == (started.metadata or {})
        and all(given[name] == value for name, value in asked.items())
    )


def _tenant(metadata: Mapping[str, str]) -> str:
    """Whom the run is for.

    Temporal would take one that its visibility store can't hold, and never list the run.

    Raises:
        InvalidField: it is too long, or has control characters.
    """
    tenant = metadata.get("tenant") or DEFAULT_TENANT
    if len(tenant) > MAX_TENANT_CHARS:
        raise InvalidField(
            f"metadata.tenant: {len(tenant)} characters, at most {MAX_TENANT_CHARS} are taken",
            field="metadata.tenant",
            limit=MAX_TENANT_CHARS,
        )
    if any(unicodedata.category(char) == "Cc" for char in tenant):
        raise InvalidField(
            "metadata.tenant: control characters are not taken", field="metadata.tenant"
        )
    return tenant


def _check_script(agent: AgentSpec, request: RunRequest) -> None:
    """Refuse a malformed script before a run begins that could only fail.

    Raises:
        InvalidField: the message names the item and the field.
    """
    if agent.model != "rehearsal":
        return
    try:
        validate_script(request.input)
    except MalformedScript as error:
        raise InvalidField(f"input: {error}", slug="bad-script", field="input") from error


def _agent(services: Services, request: RunRequest) -> AgentSpec:
    """The agent's spec with the request's model and limits merged in."""
    agent = services.agents.get(request.agent)
    if agent is None:
        known = sorted(services.agents)
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
            raise InvalidField(f"model: {error}", slug="unknown-model", field="model") from error
        changes["model"] = request.model
    if request.limits is not None:
        given = request.limits.model_dump(exclude_unset=True)
        changes["limits"] = agent.limits.model_copy(update=given)
    return agent.model_copy(update=changes)
