"""The questions of one call of an MCP server's tool: before it runs, and when it has ended."""

from __future__ import annotations

from relayline.activities.attempt import Attempt
from relayline.activities.tool.output import ToolFailure
from relayline.activities.tool.served.forward import Forward
from relayline.activities.tool.served.questions import TooMuchAsked, answered, asked, open_questions
from relayline.contracts.calls import ToolOutcome, ToolRequest
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import InputReceived, ToolAsked
from relayline.contracts.keys import asked_key, resolved_key
from relayline.contracts.mcp import McpQuestions


class Asking:
    """What one run of a call asks, and has asked; of a call of another tool, nothing."""

    def __init__(self, attempt: Attempt, request: ToolRequest, forward: Forward | None) -> None:
        self._attempt = attempt
        self._request = request
        self._forward = forward
        self._round = 0
        """The newest round that people have answered."""
        call = request.call
        self.key = asked_key(request.epoch, call.call_id, request.run)
        """Of what this run asks."""

    @property
    def stopped(self) -> bool:
        """False if a server was told to stop the call, because it need not obey."""
        return self._forward is None or self._forward.stopped

    async def recorded(self) -> ToolOutcome | None:
        """What an earlier attempt of this run has asked."""
        stored = await self._attempt.get(self.key) if self._forward else None
        body = stored.body() if stored else None
        return self.outcome(body) if isinstance(body, ToolAsked) else None

    async def before(self) -> ToolAsked | None:
        """Give the tool what people have answered; what must be asked again, if an answer misfits.

        Raises:
            ToolFailure: the journal lacks the questions or an answer, or too much is asked.
        """
        plan = self._request.call.mcp
        if self._forward is None or plan is None or plan.asked is None:
            return None
        stored = await self._attempt.get(plan.asked.key)
        body = stored.body() if stored else None
        texts = [await self._answer(id_) for id_ in plan.asked.requests]
        if not isinstance(body, ToolAsked) or len(texts) != len(open_questions(body)):
            raise ToolFailure(ErrorType.NO_ANSWER, "the journal lacks what the server has asked")
        try:
            given = answered(body, texts)
        except TooMuchAsked as error:
            raise ToolFailure(ErrorType.TOOL_FAILED, str(error)) from error
        if isinstance(given, ToolAsked):
            return given
        self._round, self._forward.round = body.round, given
        return None

    def after(self) -> ToolAsked | None:
        """What the server asks; None if the call has given a result.

        Raises:
            ToolFailure: it asks too much.
        """
        questions: McpQuestions | None = self._forward.asked if self._forward else None
        if questions is None:
            return None
        call = self._request.call
        try:
            return asked(call.call_id, call.name, self._round + 1, questions)
        except TooMuchAsked as error:
            raise ToolFailure(ErrorType.TOOL_FAILED, str(error)) from error

    def outcome(self, body: ToolAsked) -> ToolOutcome:
        """The end of the activity, for the workflow."""
        return ToolOutcome(
            call_id=self._request.call.call_id, status="asks", asks=len(open_questions(body))
        )

    async def _answer(self, id_: str) -> str:
        stored = await self._attempt.get(resolved_key(id_))
        body = stored.body() if stored else None
        if not isinstance(body, InputReceived):
            raise ToolFailure(ErrorType.NO_ANSWER, f"the journal has no answer to {id_!r}")
        return body.text
