"""How every process connects to Temporal, and asks how a run was closed."""

from __future__ import annotations

import asyncio
import os
import re
from datetime import timedelta
from pathlib import Path

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHistoryEventFilterType,
)
from temporalio.common import SearchAttributeKey
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.exceptions import ActivityError, ApplicationError, FailureError
from temporalio.service import RPCError, TLSConfig

from relayline.contracts.events import RunQueued
from relayline.contracts.runs import (
    DEFAULT_TENANT,
    MEMO_REQUEST,
    SEARCH_TENANT,
    RunRequestMemo,
    RunResult,
    RunStatus,
)
from relayline.projections.terminal import Closing
from relayline.runtime.payloads.converter import PLAIN, converter_for
from relayline.runtime.payloads.ring import KeyRing, PayloadUnreadable

_RPC_TIMEOUT = timedelta(seconds=2)
_TENANT = SearchAttributeKey.for_keyword(SEARCH_TENANT)
_CLOSED = {
    WorkflowExecutionStatus.COMPLETED: RunStatus.COMPLETED,
    WorkflowExecutionStatus.FAILED: RunStatus.FAILED,
    WorkflowExecutionStatus.CANCELED: RunStatus.CANCELLED,
    WorkflowExecutionStatus.TERMINATED: RunStatus.TERMINATED,
    WorkflowExecutionStatus.TIMED_OUT: RunStatus.TIMED_OUT,
}


_ENDED = (
    "it ended the connection: it may want TLS, or a client's certificate that it trusts; set "
    "TEMPORAL_TLS, or TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH"
)
_NO_ADDRESS = "TEMPORAL_ADDRESS (or a profile's address) must be HOST:PORT"
_PAIR = (
    "a client's certificate and its key go together: set both of TEMPORAL_TLS_CLIENT_CERT_PATH and "
    "TEMPORAL_TLS_CLIENT_KEY_PATH (or …_DATA, or a profile's client_cert… and client_key…)"
)
_REFUSED = (
    "it refused the API key or the client's certificate: check TEMPORAL_API_KEY and "
    "TEMPORAL_TLS_CLIENT_CERT_PATH"
)
_REASONS = (
    (
        "InvalidCertificate(UnknownIssuer",
        "its certificate is of a CA that is not trusted: set TEMPORAL_TLS_SERVER_CA_CERT_PATH",
    ),
    (
        "InvalidCertificate(NotValidForName",
        "its certificate is for another name: set TEMPORAL_TLS_SERVER_NAME",
    ),
    ("InvalidCertificate(", "its certificate is not valid: replace it"),
    ("InvalidContentType", "it does not speak TLS: check TEMPORAL_ADDRESS and TEMPORAL_TLS"),
    ("KeyMismatch", "the client's certificate and key do not match: set two that belong together"),
    ("PrivateKeyParseError", "the client's private key can't be read"),
    ("code: PermissionDenied", _REFUSED),
    ("code: Unauthenticated", _REFUSED),
    ("call error after connection", _ENDED),
    ("invalid target URL", _NO_ADDRESS),
)
"""Why a connection failed, by a part of the SDK's message; the first match counts."""
DEFAULT_NAMESPACE = "default"
_METADATA = "TEMPORAL_GRPC_META_"
"""Prefix of variables for headers; an empty one removes the profile's header."""
_FLAG = {"true", "false", "1", "0"}
"""What Temporal's tools accept as a flag; the SDK takes anything else for true."""
_POSITION = re.compile(r"line \d+, column \d+")


data_converter = PLAIN
"""Used by our clients, workers and replays where nothing is encrypted."""


class TemporalUnreachable(Exception):
    """No Temporal answered at the address; the message names it and says what to do."""


def configured_address() -> str | None:
    """The address in the environment or a Temporal profile, None if neither has one.

    Raises:
        TemporalUnreachable: the configuration can't be read.
    """
    return _configured().get("target_host")


def configured_namespace() -> str:
    """The namespace in the environment or a Temporal profile, else Temporal's usual one.

    Raises:
        TemporalUnreachable: the configuration can't be read.
    """
    return _configured().get("namespace") or DEFAULT_NAMESPACE


def _configured() -> ClientConnectConfig:
    """How to connect; no error message repeats a value, which may be a secret."""
    try:
        config = ClientConfig.load_client_connect_config(override_env_vars=_environment())
    except OSError as error:
        raise TemporalUnreachable(
            f"Temporal's configuration names a file that can't be read: {error.filename!r}"
        ) from error
    except RuntimeError as error:
        said = str(error)
        if said.startswith("Profile "):
            raise TemporalUnreachable(f"TEMPORAL_PROFILE: {said}") from error
        found = _POSITION.search(said)
        where = f", {found[0]}" if found else ""
        raise TemporalUnreachable(
            f"Temporal's configuration file is not valid{where}"
        ) from None  # the cause quotes the line
    _check(config)
    return config


def _environment() -> dict[str, str]:
    """Temporal's variables; an empty one counts as not set.

    Raises:
        TemporalUnreachable: one of them has a value that the SDK would misunderstand.
    """
    ours = {name: value for name, value in os.environ.items() if name.startswith("TEMPORAL_")}
    given = {name: value for name, value in ours.items() if value or name.startswith(_METADATA)}
    file = given.get("TEMPORAL_CONFIG_FILE")
    if file and not Path(file).exists():
        raise TemporalUnreachable(
            f"TEMPORAL_CONFIG_FILE names a file that does not exist: {file!r}"
        )
    if given.get("TEMPORAL_TLS", "true").lower() not in _FLAG:
        raise TemporalUnreachable("TEMPORAL_TLS must be true or false (or 1 or 0)")
    return given


def _check(config: ClientConnectConfig) -> None:
    """Check what the SDK would find out later, or never.

    Raises:
        TemporalUnreachable: a connection with this configuration is impossible.
    """
    if "://" in config.get("target_host", ""):
        raise TemporalUnreachable(f"{_NO_ADDRESS}, not a URL")
    tls = config.get("tls")
    if isinstance(tls, TLSConfig) and (tls.client_cert is None) != (tls.client_private_key is None):
        raise TemporalUnreachable(_PAIR)


def connection_failure(error: Exception) -> str | None:
    """Why the connection failed, in words for people; None if the reason is unknown."""
    said = str(error)
    return next((words for sign, words in _REASONS if sign in said), None)


async def connect(
    ring: KeyRing, *, timeout_s: float = 10, lazy: bool = False, identity: str | None = None
) -> Client:
    """Connect as `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, TLS settings and profiles say.

    Args:
        ring: Keys of what Temporal stores; `NO_KEYS` for a client that reads and writes no payload.
        timeout_s: Seconds to try for.
        lazy: Return at once and connect with the first call, for processes that can also serve
            without Temporal.
        identity: Who Temporal's own views say this process is; None: its id and host.

    Raises:
        TemporalUnreachable: no address is configured, no server answered in time, or one side
            refused the connection.
    """
    config = _configured()
    address = config.get("target_host")
    if not address:
        raise TemporalUnreachable(
            "no Temporal address: set TEMPORAL_ADDRESS (or a profile), or start `relayline dev`"
        )
    converter = converter_for(ring, config.get("namespace") or DEFAULT_NAMESPACE)
    try:
        async with asyncio.timeout(timeout_s):
            return await Client.connect(
                **config, lazy=lazy, identity=identity, data_converter=converter
            )
    except (RuntimeError, ValueError, RPCError, TimeoutError) as error:
        if why := connection_failure(error):
            raise TemporalUnreachable(f"no connection to Temporal at {address!r}: {why}") from error
        raise TemporalUnreachable(
            f"Temporal at {address!r} did not answer: is it running, and is TEMPORAL_ADDRESS right?"
        ) from error


async def closing_of(client: Client, run_id: str) -> Closing | None:
    """How Temporal closed the newest execution of a run, None while that is open.

    Raises:
        RPCError: Temporal did not answer, or (`NOT_FOUND`) does not know the run.
        PayloadUnreadable: its result needs a key that this process lacks.
    """
    described = await client.get_workflow_handle(run_id).describe(rpc_timeout=_RPC_TIMEOUT)
    status = _CLOSED.get(described.status) if described.status else None
    if status is None:
        return None
    closed = client.get_workflow_handle(run_id, run_id=described.run_id).fetch_history_events(
        event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT, rpc_timeout=_RPC_TIMEOUT
    )
    [last] = [event async for event in closed]
    closing = await _closing(client, status, last)
    return closing._replace(queued=await _queued(described))


async def _queued(described: WorkflowExecutionDescription) -> RunQueued | None:
    """What was submitted; None if Temporal does not tell, or in a key that this process lacks."""
    try:
        asked = await described.memo_value(MEMO_REQUEST, None, type_hint=RunRequestMemo)
    except PayloadUnreadable:
        return None
    if asked is None:
        return None
    return RunQueued(
        agent=asked.agent,
        model=asked.model,
        metadata=asked.metadata,
        submitted_at=asked.created_at or described.start_time,
        start_at=asked.start_at,
        tenant=described.typed_search_attributes.get(_TENANT) or DEFAULT_TENANT,
    )


async def _closing(client: Client, status: RunStatus, event: HistoryEvent) -> Closing:
    """How a run was closed, from the last event of its history."""
    match status:
        case RunStatus.TERMINATED:
            return Closing(status, event.workflow_execution_terminated_event_attributes.reason)
        case RunStatus.FAILED:
            failure = event.workflow_execution_failed_event_attributes.failure
            error = await client.data_converter.decode_failure(failure)
            if isinstance(error, ActivityError) and error.__cause__:
                error = error.__cause__  # the error itself only says that an activity failed
            message = error.message if isinstance(error, FailureError) else str(error)
            kind = error.type if isinstance(error, ApplicationError) else None
            return Closing(status, message, kind or "")
        case RunStatus.COMPLETED:
            payloads = event.workflow_execution_completed_event_attributes.result.payloads
            [result] = await client.data_converter.decode(payloads, [RunResult])
            return Closing(result.status, result.preview)
        case _:
            return Closing(status)
