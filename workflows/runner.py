"""Runs workflow code as Temporal's SDK does, and never ahead of the history."""

from __future__ import annotations

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

_AHEAD = "a query came with events that no workflow task has taken up yet"


class Runner(SandboxedWorkflowRunner):
    """The SDK's sandbox, but that the workflow's own package is not imported anew for each run.

    That would be 2 to 3 ms of the time to the first delta. The sandbox's rules are kept by the
    tests, which replay every history in the full sandbox.
    """

    def __init__(self) -> None:
        default = SandboxRestrictions.default
        super().__init__(restrictions=default.with_passthrough_modules("relayline.workflows"))

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """One run's code."""
        instance = super().create_instance(det)
        _refuse_to_run_ahead(instance)
        return instance


def _refuse_to_run_ahead(instance: WorkflowInstance) -> None:
    """Fail what a query would have the code do that no workflow task has asked for.

    A worker that does not know a run, and is asked a query of it just after a signal came or an
    activity ended, is given these events, too. Temporal's core (1.35) has the code act on them at
    once, and on what comes until the next workflow task apart from that. A replay has it act on all
    of it together: it may do something else, and the run is stuck. Such events come with the time
    of the last workflow task, and with more history than it had. Failed, the query is answered by
    an error, and the next task begins with a replay.
    """
    activate = instance.activate
    before_ns, known = -1, 0

    def guarded(act: WorkflowActivation) -> WorkflowActivationCompletion:
        nonlocal before_ns, known
        at_ns, length = act.timestamp.ToNanoseconds(), act.history_length
        ahead = not act.is_replaying and at_ns == before_ns and length > known
        before_ns, known = at_ns, length
        if not ahead:
            return activate(act)
        completion = WorkflowActivationCompletion(run_id=act.run_id)
        completion.failed.failure.message = _AHEAD
        return completion

    instance.activate = guarded  # type: ignore[method-assign]
