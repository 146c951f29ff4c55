"""The models of a step: its turn's, and the next one when that is unavailable."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import preview
    from relayline.contracts.envelope import NewEvent
    from relayline.contracts.errors import ErrorType
    from relayline.contracts.events import ModelFallback
    from relayline.contracts.keys import fallback_key, step_scope
    from relayline.workflows.run import Run
    from relayline.workflows.state import Asked

_FALLS_BACK = "falls-back"
"""Patch id: runs whose model had failed before this patch ended with that."""
_UNTOLD_ATTEMPTS = 1000
"""More than the call has made, if its worker does not tell how many."""


class Models:
    """The models that one step may ask, each once.

    The first is the one that the turn has asked most recently, so that not every step waits for a
    provider that is down; each turn begins with the agent's own.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        names = run.input.agent.candidates
        newest = run.state.model_index % len(names)
        self._order = names[newest:] + names[:newest]
        self.asked = Asked(self._order[0], spare=len(names) > 1)
        """The one to ask now."""

    def fall_back(self, error: ActivityError) -> bool:
        """Ask the next model from now on, and record why.

        No late attempt may write to the step any more.

        Args:
            error: Of the call that has failed.

        Returns:
            False if there is none, or if the model has failed for another reason.
        """
        cause, last = error.cause, self.asked
        unavailable = ErrorType.MODEL_UNAVAILABLE
        if not (isinstance(cause, ApplicationError) and cause.type == unavailable and last.spare):
            return False
        if not workflow.patched(_FALLS_BACK):
            return False
        run, state = self._run, self._run.state
        run.pending.seal(step_scope(run.epoch, state.step, last.tried))
        told = next((it for it in cause.details if isinstance(it, int)), 0)
        tried = told if told > last.tried else last.tried + _UNTOLD_ATTEMPTS
        place = self._order.index(last.model) + 1
        self.asked = Asked(self._order[place], tried, spare=place + 1 < len(self._order))
        state.model_index = run.input.agent.candidates.index(self.asked.model)
        run.pending.add(self._fact(last.model, cause.message))
        return True

    def _fact(self, failed: str, why: str) -> NewEvent:
        """`model.fallback`."""
        epoch, step, tried = self._run.epoch, self._run.state.step, self.asked.tried
        body = ModelFallback.model_validate(
            {"from": failed, "to": self.asked.model, "reason": preview(why)}
        )
        key = fallback_key(epoch, step, tried)
        return NewEvent(key=key, body=body, step=step, attempt=tried)
