"""Starts the resources of tools when they are needed, and stops them with the worker."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from relayline.activities.tool.loop import ToolLoop
from relayline.activities.tool.output import ToolFailure
from relayline.catalog.foreign import described
from relayline.catalog.resources import Resource
from relayline.contracts.errors import ErrorType

START_S = 30.0
"""How long a resource may take to start; then it is given up."""
STOP_S = 10.0
"""How long all resources of a worker may take to stop."""
_MARGIN_S = 1.0
_log = logging.getLogger(__name__)


class NotStarted(ToolFailure):
    """A tool did not run, because a resource of its worker has not started."""

    def __init__(self, name: str, why: str) -> None:
        text = f"the resource {name} did not start: {why}"
        super().__init__(ErrorType.TOOL_FAILED, text, retryable=True)


class Resources:
    """The resources of one worker; each is started once and shared by all calls.

    One that does not start fails the calls that wait for it; the next call tries again. Each lives
    in one task of the tools' loop, from its start to its stop. Only text comes back from there, and
    the values themselves for the tools.
    """

    def __init__(self, loop: ToolLoop, start_s: float = START_S, stop_s: float = STOP_S) -> None:
        self._loop = loop
        self._start_s = start_s
        self._stop_s = stop_s
        self._held: dict[Resource[Any], _Held] = {}
        """In the order of their starts; belongs to the tools' loop."""

    async def given(
        self, wanted: Mapping[str, Resource[Any]], within_s: float
    ) -> dict[str, object]:
        """What these resources yield, by parameter.

        Raises:
            NotStarted: one of them has not started within that time; its start may continue.
        """
        if not wanted:
            return {}
        values: dict[str, object] = {}
        for parameter, resource in wanted.items():
            started = asyncio.wrap_future(self._loop.run(self._started(resource)))
            try:
                async with asyncio.timeout(within_s):
                    found = await started
            except TimeoutError:
                raise NotStarted(resource.name, f"it takes more than {within_s:g} s") from None
            if isinstance(found, str):
                raise NotStarted(resource.name, found)
            values[parameter] = found.value
        return values

    async def close(self) -> None:
        """Stop them, the last that started first; call it when no tool runs any more."""
        if not self._loop.is_started:
            return
        stopping = asyncio.wrap_future(self._loop.run(self._stop_all()))
        try:
            async with asyncio.timeout(self._stop_s + _MARGIN_S):
                await stopping
        except TimeoutError:  # a tool blocks the loop
            _log.warning("the resources of tools were not stopped")

    async def _started(self, resource: Resource[Any]) -> _Value | str:
        """What it yields, or why it does not; in the tools' loop."""
        held = self._held.get(resource)
        if held is None:
            held = self._held[resource] = _Held(resource, self._start_s)
        found = await asyncio.shield(held.ready)
        if isinstance(found, str) and self._held.get(resource) is held:
            del self._held[resource]
        return found

    async def _stop_all(self) -> None:
        try:
            async with asyncio.timeout(self._stop_s):
                for held in reversed([*self._held.values()]):
                    await held.stop()
        except TimeoutError:
            _log.warning("a resource of tools did not stop in time")


class _Value(NamedTuple):
    value: object


class _Held:
    """A resource from its start to its stop."""

    def __init__(self, resource: Resource[Any], start_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[_Value | str] = loop.create_future()
        """What it yields; or why it did not start."""
        self._resource = resource
        self._start_s = start_s
        self._wanted = asyncio.Event()
        apart = contextvars.Context()  # it outlives the call that needs it first
        self._task = loop.create_task(self._hold(), context=apart)

    async def stop(self) -> None:
        """Stop it."""
        self._wanted.set()
        if not self.ready.done():
            self._task.cancel()
        await asyncio.wait({self._task})

    async def _hold(self) -> None:
        name = self._resource.name
        try:
            async with asyncio.timeout(self._start_s) as bound, self._resource.open() as value:
                bound.reschedule(None)
                self.ready.set_result(_Value(value))
                _log.info("a resource of tools has started", extra={"resource": name})
                await self._wanted.wait()
        except BaseException as error:  # noqa: BLE001  it is told as text, whatever it is
            why = described(error)
            if isinstance(error, TimeoutError) and not self.ready.done():
                why = f"it takes more than {self._start_s:g} s"
            if self.ready.done():
                _log.warning("a resource did not stop", extra={"resource": name, "reason": why})
            else:
                self.ready.set_result(why)
