"""One call of an MCP server's tool: its server may ask people, and is called again with answers."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import PlannedCall, ToolOutcome
    from relayline.contracts.envelope import NewEvent
    from relayline.contracts.keys import asked_id, asked_key
    from relayline.contracts.mcp.planned import AskedBefore, McpPlan
    from relayline.workflows.gates import Gate, Verdict
    from relayline.workflows.run import Run
    from relayline.workflows.tools.call import ToolCallRun
    from relayline.workflows.tools.states import Asked, Ready, Running


class ServedCallRun(ToolCallRun):
    """A call of an MCP server's tool.

    Each round of questions ends its activity; once people have answered them all, one after the
    other, the call runs again, under a claim of its own.
    """

    def __init__(self, run: Run, call: PlannedCall, plan: McpPlan) -> None:
        super().__init__(run, call)
        self._plan = plan
        self._asking = ""
        """Key of the questions that are open; empty while there are none."""
        self._count = 0
        """How many they are."""
        self._replies: list[str] = []
        """Ids of the requests that people have answered of them."""

    def ask_first(self) -> None:
        """Open the gate of the question that is due, else that of an approval."""
        if self._asking:
            self._ask_next()
        else:
            super().ask_first()

    def start(self) -> None:
        """Start its activity; what it may ask counts if a reset comes later."""
        self._run.pending.known.append(self._asked_key)
        super().start()

    @property
    def _asked_key(self) -> str:
        return asked_key(self._epoch, self.call.call_id, self._runs)

    def _request(self, gate: Gate) -> NewEvent:
        """The request with the server; the rest of it is in the journal."""
        fact = super()._request(gate)
        sources = {"approval": self._plan.listed, "question": self._asking}
        body = fact.body.model_copy(update={"server": self._plan.server})
        return fact.model_copy(update={"body": body, "source": sources.get(gate.kind, "")})

    def _finished(self, outcome: ToolOutcome) -> None:
        if outcome.status != "asks":
            super()._finished(outcome)
            return
        if isinstance(self.state, Running):
            self.state.leave()
        self._asking, self._count, self._replies = self._asked_key, outcome.asks, []
        self._ask_next()

    def _ask_next(self) -> None:
        """Ask the first question that nobody has answered yet."""
        call = self.call
        id_ = asked_id(self._epoch, call.call_id, self._runs, len(self._replies))
        self._ask(Gate(id_, "question", f"{call.name}({call.preview}) asks"), None)

    def _answered(self, asked: Asked, verdict: Verdict) -> None:
        if asked.gate.kind != "question" or verdict.how != "answered":
            super()._answered(asked, verdict)
            return
        asked.leave()
        self._replies.append(asked.gate.id)
        if len(self._replies) < self._count:
            self._ask_next()
            return
        before = AskedBefore(key=self._asking, requests=tuple(self._replies))
        plan = self._plan.model_copy(update={"asked": before})
        self.call = self.call.model_copy(update={"mcp": plan})
        self._asking, self.state = "", Ready()
        self._run_again()
