"""All keys, fence scopes and ids of a run's facts are made here."""

from __future__ import annotations

import hashlib

COMMAND_PREFIX = "command/"
"""Prefix of the keys of receipts and outcomes: they have no epoch, so each is written once."""
QUEUED_KEY = "run/queued"
"""Key of `run.queued`: it has no epoch, so it is written once, whoever writes it."""

FORKED_KEY = "run/forked"
"""Key of `run.forked`: it has no epoch, as no reset makes the past void."""
INHERITED_PREFIX = "inherited/"
"""Prefix of the keys of facts of the past, but for those that later steps look up by their own."""

AGENT_PREFIX = "agent/"
"""Prefix of the key of `agent.pinned`: it has no epoch, either."""
WAITING_PART = "/waiting/"
"""In the key of each `run.waiting`, after the epoch."""


def agent_key(sha256: str) -> str:
    """Key of `agent.pinned`."""
    return f"{AGENT_PREFIX}{sha256}"


def message_key(epoch: int, step: int) -> str:
    """Key of the fact that ends a step: `message.completed` or `message.interrupted`."""
    return f"{epoch}/step/{step}/message"


def started_key(epoch: int, step: int) -> str:
    """Key of `step.started`."""
    return f"{epoch}/step/{step}/started"


def compacted_key(epoch: int, step: int) -> str:
    """Key of `context.compacted`: at most one per step."""
    return f"{epoch}/step/{step}/compacted"


_AFTER = "/after/"


def step_scope(epoch: int, step: int, tried: int = 0) -> str:
    """Fence scope of a model call; a call after `tried` attempts of other models has its own."""
    return f"{epoch}/step/{step}{_AFTER}{tried}" if tried else f"{epoch}/step/{step}"


def tried_before(scope: str) -> int:
    """The attempts of other models before the call with that fence scope; 0 for any other call."""
    return int(scope.partition(_AFTER)[2] or 0)


def fallback_key(epoch: int, step: int, tried: int) -> str:
    """Key of the `model.fallback` before the call with that scope."""
    return f"{step_scope(epoch, step, tried)}/fallback"


def call_scope(epoch: int, call_id: str, run: int = 0) -> str:
    """Fence scope of a tool call; each repeated run of an unsafe tool has its own."""
    return f"{epoch}/call/{call_id}/run/{run}" if run else f"{epoch}/call/{call_id}"


def model_activity_id(epoch: int, step: int, tried: int = 0) -> str:
    """Temporal's id of a model call's activity."""
    return step_scope(epoch, step, tried)


def tool_activity_id(epoch: int, call_id: str, run: int) -> str:
    """Temporal's id of a tool call's activity; each repeated run has its own."""
    return f"{epoch}/{call_id}/{run}"


def result_key(epoch: int, call_id: str) -> str:
    """Key of the fact that ends a tool call, whichever its type."""
    return f"{epoch}/call/{call_id}/result"


def tools_key(epoch: int, turn: int | None = None) -> str:
    """Key of `tools.listed`: of an epoch, or of a later turn that has found other tools."""
    return f"{epoch}/tools" if turn is None else f"{epoch}/turn/{turn}/tools"


def asked_key(epoch: int, call_id: str, run: int) -> str:
    """Key of the `tool.asked` of a run of a call."""
    return f"{call_scope(epoch, call_id, run)}/asked"


def child_started_key(epoch: int, call_id: str) -> str:
    """Key of the `child.started` of a call."""
    return f"{epoch}/call/{call_id}/child"


def child_ended_key(child_id: str) -> str:
    """Key of the `child.ended` of that run: it has no epoch, so it is written once."""
    return f"child/{child_id}/ended"


def child_run_id(parent_id: str, epoch: int, call_id: str) -> str:
    """Id of the run that a call starts; after a reset, the same call starts another run."""
    named = f"{parent_id}/{epoch}/{call_id}"
    return f"run_{hashlib.sha256(named.encode()).hexdigest()[:32]}"


def rejected_key(epoch: int, step: int) -> str:
    """Key of the `output.rejected` of a step."""
    return f"{step_scope(epoch, step)}/rejected"


def claim_key(epoch: int, call_id: str, run: int = 0) -> str:
    """Key of `tool.started` for an unsafe tool: the attempt that appends it may run the tool."""
    return f"{call_scope(epoch, call_id, run)}/claim"


def accepted_key(command_id: str) -> str:
    """Key of `command.accepted`."""
    return f"{COMMAND_PREFIX}{command_id}/accepted"


def outcome_key(command_id: str) -> str:
    """Key of the command's one outcome."""
    return f"{COMMAND_PREFIX}{command_id}/outcome"


def approval_id(epoch: int, call_id: str) -> str:
    """Id of the approval of a tool call: `approval_{step}_{index}`, unique within the run."""
    return f"{_prefix('approval', epoch)}_{call_id.removeprefix('call_')}"


def request_id(epoch: int, call_id: str) -> str:
    """Id of a tool call's question: `input_{step}_{index}`, unique within the run."""
    return f"{_prefix('input', epoch)}_{call_id.removeprefix('call_')}"


def asked_id(epoch: int, call_id: str, run: int, number: int) -> str:
    """Id of the `number`th question (from 0) that a run of a call has asked."""
    return f"{request_id(epoch, call_id)}_{run}_{number}"


def asked_number(id_: str) -> int:
    """The number in an `asked_id`."""
    return int(id_.rpartition("_")[2])


def outcome_id(epoch: int, call_id: str, run: int) -> str:
    """Id of the question about the outcome of a run of an unsafe tool."""
    return f"{_prefix('outcome', epoch)}_{call_id.removeprefix('call_')}_{run}"


def budget_id(epoch: int, number: int) -> str:
    """Id of the `number`th approval that raises a limit."""
    return f"{_prefix('approval_budget', epoch)}_{number}"


def _prefix(kind: str, epoch: int) -> str:
    return f"{kind}_e{epoch}" if epoch else kind


def requested_key(id_: str) -> str:
    """Key of `approval.requested` or `input.requested`; the id includes the epoch."""
    return f"request/{id_}"


def resolved_key(id_: str) -> str:
    """Key of the fact that ends an approval or a question, whatever its type."""
    return f"request/{id_}/end"


def call_id(step: int, index: int) -> str:
    """Id of the `index`th (from 0) tool call of a step; valid for every provider."""
    return f"call_{step}_{index}"


def ended_key(epoch: int) -> str:
    """Key of the terminal fact, whatever its type and whoever writes it."""
    return f"{epoch}/run/ended"


def turn_key(epoch: int, turn: int) -> str:
    """Key of the `turn.completed` of a turn."""
    return f"{epoch}/turn/{turn}/completed"


def inherited_key(place: int) -> str:
    """Key of a fact of the past, by its place in it."""
    return f"{INHERITED_PREFIX}{place}"


def inherited_turn_key(turn: int) -> str:
    """Key of the `turn.completed` of a turn of the past."""
    return f"{INHERITED_PREFIX}turn/{turn}"


def past_scope(epoch: int) -> str:
    """Fence scope of `record_past`."""
    return f"{epoch}/past"


def epoch_prefix(epoch: int) -> str:
    """Prefix of the keys and scopes of an epoch."""
    return f"{epoch}/"


def run_started_key(epoch: int) -> str:
    """Key of `run.started`."""
    return f"{epoch}/run/started"


def input_key(epoch: int) -> str:
    """Key of the run's input as `message.user`."""
    return f"{epoch}/message/0"


def paused_key(epoch: int) -> str:
    """Key of a `run.paused` that is repeated after a reset."""
    return f"{epoch}/paused"


def waiting_key(epoch: int, number: int) -> str:
    """Key of the `number`th `run.waiting`."""
    return f"{epoch}{WAITING_PART}{number}"


def budget_key(epoch: int, number: int) -> str:
    """Key of the `number`th `budget.exceeded`."""
    return f"{epoch}/budget/{number}"


def spent_key(scope: str) -> str:
    """Key of the `budget.exceeded` of a model call that its tenant could not afford."""
    return f"{scope}/spent"


def effect_key(epoch: int, command_id: str, kind: str) -> str:
    """Key of the fact that a command causes: a message, `run.paused` or `run.resumed`."""
    return f"{epoch}/command/{command_id}/{kind}"


def rewound_key(execution: str, resets: int) -> str:
    """Key of the `run.rewound` for an execution's `resets`th reset."""
    return f"rewound/{execution}/{resets}"


def superseded_key(scope: str, attempt: int) -> str:
    """Key of the `attempt.superseded` that voids an attempt of the call with that scope."""
    return f"{scope}/superseded/{attempt}"


def failure_key(scope: str, failures: int) -> str:
    """Key of the `failures`th `attempt.failed` of the call with that scope."""
    return f"{scope}/failure/{failures}"


def lost_key(scope: str, losses: int) -> str:
    """Key of the `losses`th `attempt.lost` of the call with that scope."""
    return f"{scope}/lost/{losses}"


def left_scope(scope: str) -> str:
    """Fence scope whose attempt is the newest one of the call that did not end with its worker."""
    return f"{scope}/left"


def together_scope(scope: str) -> str:
    """Fence scope whose attempt is the newest one of the call that ran beside another suspect."""
    return f"{scope}/together"


def stopped_scope(scope: str) -> str:
    """Fence scope that counts, as its attempt, how often the call's worker was stopped under it."""
    return f"{scope}/stopped"


def record_scope(epoch: int) -> str:
    """Fence scope of `record_facts`."""
    return f"{epoch}/record"


def begun_scope(key: str, epoch: int) -> str | None:
    """The scope of the call that starts with this key's fact, None if no call does.

    A call begins with `step.started`, or with the claim of an unsafe tool.
    """
    if not key.startswith(epoch_prefix(epoch)):
        return None
    scope, _, last = key.rpartition("/")
    return scope if last in {"started", "claim"} else None


def answering_scope(asked: str, epoch: int) -> str | None:
    """The scope of the run of a call that answers this key's `tool.asked`; None: another epoch."""
    scope = asked.removesuffix("/asked")
    if not asked.startswith(epoch_prefix(epoch)):
        return None
    call, _, run = scope.partition("/run/")
    return f"{call}/run/{int(run or 0) + 1}"
