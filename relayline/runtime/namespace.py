"""What runs need of a Temporal namespace, and the commands that set it up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from relayline.contracts.runs import SEARCH_AGENT, SEARCH_STATUS, SEARCH_TENANT
from relayline.runtime.temporal import TemporalUnreachable

SEARCHED = (SEARCH_STATUS, SEARCH_AGENT, SEARCH_TENANT)
LEAST_RETENTION = timedelta(days=1)
"""The shortest time that Temporal must keep an ended run: a day without any worker."""
CALL = timedelta(seconds=5)
NEW_S = 10.0
"""Seconds for which Temporal's caches may not know a new namespace."""
_KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
_NOT_ALLOWED = {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED}
_DAY = timedelta(days=1)


class NamespaceUnfit(Exception):
    """Runs can't work in the namespace; the message gives the commands that fix it, on one line."""


async def check_namespace(client: Client, retention: timedelta | None) -> list[str]:
    """Return if the namespace has what runs need.

    Args:
        client: Connected to the namespace.
        retention: How long the journal keeps an ended run; None means forever.

    Returns:
        Warnings for people, such as that Temporal does not permit the check.

    Raises:
        NamespaceUnfit: it does not exist, or lacks something.
        RPCError: Temporal did not answer.
    """
    name, warnings, faults = client.namespace, [], []
    try:
        kept = await _retention(client)
        if kept < LEAST_RETENTION:
            faults.append(_too_short(name, kept, LEAST_RETENTION))
        elif retention and kept < retention:
            warnings.append(_too_short(name, kept, retention))
        faults += _attribute_faults(name, await _attributes(client))
    except RPCError as error:
        if error.status not in _NOT_ALLOWED:
            raise
        warnings.append(
            f"Temporal does not permit a check of namespace {name!r} ({error.status.name}): make "
            f"sure that it has the search attributes {', '.join(SEARCHED)}, each a Keyword"
        )
    if faults:
        raise NamespaceUnfit("; ".join(faults))
    return warnings


def is_namespace_missing(error: RPCError) -> bool:
    """Whether Temporal did not find the namespace itself, rather than something in it."""
    details = error.grpc_status.details
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in details)


def missing_namespace(name: str) -> str:
    """The message that the namespace does not exist, with the command that creates it."""
    return (
        f"Temporal has no namespace {name!r}: `temporal operator namespace create "
        f"--namespace {name} --retention 7d`, or set TEMPORAL_NAMESPACE"
    )


async def _retention(client: Client) -> timedelta:
    """How long the namespace keeps an ended run.

    Raises:
        NamespaceUnfit: the namespace does not exist.
        RPCError: Temporal did not answer.
    """
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        found = await client.workflow_service.describe_namespace(request, timeout=CALL)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise NamespaceUnfit(missing_namespace(client.namespace)) from error
    return found.config.workflow_execution_retention_ttl.ToTimedelta()


async def _attributes(client: Client) -> Mapping[str, IndexedValueType.ValueType]:
    """The search attributes of a namespace that exists but may be new."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    deadline = time.monotonic() + NEW_S
    while True:
        try:
            found = await client.operator_service.list_search_attributes(request, timeout=CALL)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND or time.monotonic() >= deadline:
                raise
            await asyncio.sleep(NEW_S / 20)
        else:
            return found.custom_attributes


def _attribute_faults(
    namespace: str, found: Mapping[str, IndexedValueType.ValueType]
) -> Iterator[str]:
    """Faults of the search attributes, each with the commands that fix it."""
    command = f"temporal operator search-attribute {{}} --namespace {namespace}"
    missing = [name for name in SEARCHED if name not in found]
    if missing:
        pairs = " ".join(f"--name {name} --type Keyword" for name in missing)
        cloud = " ".join(f"--search-attribute {name}=Keyword" for name in missing)
        create = command.format("create")
        yield (
            f"namespace {namespace!r} lacks search attributes: `{create} {pairs}` (Temporal "
            f"Cloud: `tcld namespace search-attributes add --namespace {namespace} {cloud}`, or "
            "its UI)"
        )
    for name in SEARCHED:
        if name in found and found[name] != _KEYWORD:
            kind = IndexedValueType.Name(found[name]).removeprefix("INDEXED_VALUE_TYPE_").title()
            yield (
                f"search attribute {name} of namespace {namespace!r} has type {kind}, not Keyword: "
                f"if nothing else uses it, `{command.format('remove')} --name {name}`, then "
                f"`{command.format('create')} --name {name} --type Keyword`"
            )


def _too_short(namespace: str, kept: timedelta, needed: timedelta) -> str:
    days = -(-needed // _DAY)
    return (
        f"namespace {namespace!r} keeps ended runs for {kept / _DAY:g} days only: lists of runs, "
        f"export and reset need {days}, `temporal operator namespace update --namespace "
        f"{namespace} --retention {days}d`"
    )


async def warnings_of_namespace(client: Client, retention: timedelta | None) -> list[str]:
    """What people should know of the namespace, which has what runs need.

    Raises:
        TemporalUnreachable: Temporal did not answer.
        NamespaceUnfit: the namespace lacks something.
    """
    try:
        return await check_namespace(client, retention)
    except RPCError as error:
        raise TemporalUnreachable(
            f"Temporal did not say whether its namespace {client.namespace!r} will do: "
            f"{error.status.name}"
        ) from error
