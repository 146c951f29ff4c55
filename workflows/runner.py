"""Runs workflow code without the SDK's sandbox, never ahead of the history; shows it headers."""

from __future__ import annotations

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import (
    HandleSignalInput,
    Interceptor,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowInterceptorClassInput,
)

from relayline.workflows.signals.headers import PROOF, proof_in

_AHEAD = "a query came with events that no workflow task has taken up yet"


class Runner(UnsandboxedWorkflowRunner):
    """The runner of our workers: no sandbox, whose checks cost a fifth of a short run.

    The sandbox never protects a run in production: it finds mistakes in our own workflow code, the
    same ones in every run. `make test` finds them instead: it runs the workflow and replays every
    history inside the sandbox, as `relayline replay` does.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Create the code of one run."""
        instance = super().create_instance(det)
        _refuse_to_run_ahead(instance)
        return instance


class SignalHeaders(Interceptor):
    """Lets handlers of signals have the proof; all workers and replays of runs must have it."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002  the SDK calls it so
    ) -> type[WorkflowInboundInterceptor] | None:
        """As the SDK wants it."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002
        PROOF.set(proof_in(input.headers))
        await super().handle_signal(input)


def _refuse_to_run_ahead(instance: WorkflowInstance) -> None:
    """Fail activations of a query that would run code ahead of the workflow tasks.

    When a worker without the run in its cache gets a query just after a signal or an activity
    result, Temporal's core (1.35) sends it these events, too, and the code acts on them before any
    workflow task has them. Events until the next task then come separately. A replay delivers them
    all together, may decide otherwise, and the run is stuck. Such an activation has the time of the
    last workflow task but a longer history. Failing it answers the query with an error, and the
    next task starts with a replay.
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
