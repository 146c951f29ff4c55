"""Commands as a run takes them: with a proof of their sender or none, and a valid id."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.access.proofs import unproven
    from relayline.contracts.commands import MAX_BY_CHARS, MAX_ID_CHARS, AnyCommand, generated_id
    from relayline.contracts.envelope import storable
    from relayline.workflows.signals.headers import with_proof


def usable(
    command: AnyCommand, payloads: tuple[object, ...] = (), *, needs_proof: bool
) -> AnyCommand:
    """The command, with an id if it has no valid one, and with names that are not too long.

    Without a proof of its sender it is Temporal's, if the run's commands need proofs.

    Args:
        command: The command.
        payloads: Those of its signal.
        needs_proof: True if the run was submitted with authentication on.
    """
    command = with_proof(command, payloads)
    if not command.proof:
        command = unproven(command, needed=needs_proof)
    given = command.command_id
    if not 0 < len(given) <= MAX_ID_CHARS:
        made_up = f"cmd_{workflow.uuid4().hex}"
        command = command.model_copy(update={"command_id": made_up})
    elif not storable(given):
        command = command.model_copy(update={"command_id": generated_id(given)})
    if max(len(command.by), len(command.on_behalf_of)) > MAX_BY_CHARS:
        names = {"by": command.by, "on_behalf_of": command.on_behalf_of}
        cut = {field: name[:MAX_BY_CHARS] for field, name in names.items()}
        command = command.model_copy(update=cut)
    return command
