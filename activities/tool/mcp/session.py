"""The SDK's session as we use it: what we declare, how we negotiate, what we send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import mcp_types as types
from mcp.client._probe import negotiate_auto
from mcp.client.session import ClientSession, IncomingMessage
from mcp.shared.dispatcher import ProgressFnT
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Discriminator, JsonValue, Tag, TypeAdapter, ValidationError

import relayline
from relayline.activities.tool.mcp.port import McpFailure
from relayline.contracts.errors import ErrorType
from relayline.contracts.mcp import McpRound

CallResult = types.CallToolResult | types.InputRequiredResult
MAX_TOOLS = 256
MAX_LIST_BYTES = 8 * 1024 * 1024
"""Tools of one server, and the size of their definitions; the rest of a list is not read."""
_MAX_PAGES = 100


class Definition(NamedTuple):
    """A tool as the server lists it."""

    name: str
    wire: dict[str, JsonValue]
    """Its parts by their names in `tools/list`."""
    task_only: bool
    """It runs as a task only, which we do not declare."""


class Definitions(NamedTuple):
    """The tools of a server."""

    tools: dict[str, Definition]
    ttl_s: float | None
    """For how long the list holds; None: the server does not say."""
    cut: bool
    """True: there are more, which were not read."""


class McpSession(ClientSession):
    """A session that declares questions in forms to modern servers, and nothing to others."""

    def __init__(self, received: Any, send: Any, changed: Callable[[], None]) -> None:
        """`changed` is called when a legacy server says that its list of tools is another."""

        async def handle(message: IncomingMessage) -> None:
            if isinstance(message, types.ToolListChangedNotification):
                changed()

        us = types.Implementation(name="relayline", version=relayline.__version__)
        super().__init__(received, send, client_info=us, message_handler=handle)

    @property
    def modern(self) -> bool:
        """False: the server has a session with state, so each run needs its own."""
        return self.protocol_version in MODERN_PROTOCOL_VERSIONS

    def _build_capabilities(self, version: str) -> types.ClientCapabilities:
        declared = super()._build_capabilities(version)
        if version not in MODERN_PROTOCOL_VERSIONS:
            return declared
        forms = types.ElicitationCapability(form=types.FormElicitationCapability())
        return declared.model_copy(update={"elicitation": forms})

    async def negotiate(self) -> None:
        """Find out the era and agree on a version.

        Raises:
            Exception: anything, if the server is none or can't be reached.
        """
        await negotiate_auto(self)

    async def definitions(self) -> Definitions:
        """List all tools, page by page.

        Raises:
            MCPError, ValidationError: the server answered with an error or with nonsense.
        """
        tools: dict[str, Definition] = {}
        cursor, ttl_s, left = None, None, MAX_LIST_BYTES
        for _ in range(_MAX_PAGES):
            page = await self.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            if self.modern and page.ttl_ms is not None:
                ttl_s = page.ttl_ms / 1000
            for tool in page.tools:
                left -= len(tool.model_dump_json())
                if left < 0 or len(tools) >= MAX_TOOLS:
                    return Definitions(tools, ttl_s, cut=True)
                tools.setdefault(tool.name, _definition(tool))
            cursor = page.next_cursor
            if cursor is None:
                return Definitions(tools, ttl_s, cut=False)
        return Definitions(tools, ttl_s, cut=True)

    async def ask(  # noqa: PLR0913  the parts of a request
        self,
        tool: str,
        arguments: Mapping[str, JsonValue],
        *,
        meta: dict[str, Any],
        timeout_s: float,
        progress: ProgressFnT,
        again: McpRound | None = None,
        state: str | None = None,
    ) -> CallResult:
        """Call a tool, without the SDK's check of the result, which may take without end.

        Args:
            tool: Its name.
            arguments: Its arguments.
            meta: `_meta` of the request.
            timeout_s: Seconds until the server is told to stop.
            progress: Receives the server's progress.
            again: Answers to an earlier round.
            state: Returned to a server that gave a state without questions.

        Raises:
            MCPError: the server's error, the time-out, or the end of the connection.
            ValidationError: the answer is none.
        """
        params = types.CallToolRequestParams(
            name=tool,
            arguments=dict(arguments),
            input_responses=_responses(again) if again else None,
            request_state=again.asked.state if again else state,
            _meta=meta,
        )
        result: CallResult = await self.send_request(
            types.CallToolRequest(params=params),
            _RESULT,
            request_read_timeout_seconds=timeout_s,
            progress_callback=progress,
        )
        return result


def _definition(tool: types.Tool) -> Definition:
    annotations = tool.annotations
    wire: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "outputSchema": tool.output_schema,
        "annotations": annotations.model_dump(by_alias=True, exclude_none=True, mode="json")
        if annotations
        else None,
        "_meta": dict(tool.meta) if tool.meta else None,
    }
    task_only = tool.execution is not None and tool.execution.task_support == "required"
    return Definition(tool.name, wire, task_only)


def _responses(again: McpRound) -> types.InputResponses:
    try:
        return {
            key: types.ElicitResult.model_validate({"action": it.action, "content": it.content})
            for key, it in again.answers.items()
        }
    except ValidationError:
        text = "an answer has a value that can't be sent: only texts, numbers, booleans and lists"
        raise McpFailure(text, kind=ErrorType.BAD_ARGUMENTS) from None


def _kind(value: Any) -> str:
    kind = value.get("resultType") if isinstance(value, dict) else value.result_type
    return "asks" if kind == "input_required" else "result"


_RESULT: TypeAdapter[CallResult] = TypeAdapter(
    Annotated[
        Annotated[types.CallToolResult, Tag("result")]
        | Annotated[types.InputRequiredResult, Tag("asks")],
        Discriminator(_kind),
    ]
)
