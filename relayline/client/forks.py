"""The request for a fork."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from pydantic import BaseModel, JsonValue

from relayline.client.calls import Call, GivenLimits, GivenSettings, json_of, path_of
from relayline.client.files.saying import Said, json_parts
from relayline.contracts.submissions.forks import ForkAccepted


class ForkFields(TypedDict, total=False):
    """What a fork may say; None is as if it were not given."""

    from_step: int | None
    """The first step that the fork does itself; absent: the newest that is possible."""
    edits: Sequence[Mapping[str, JsonValue]] | None
    """Other results of tool calls: `{"call_id": …, "output": …, "is_error": …}`."""
    message: Said | None
    """Follows the past; needed where the model has answered."""
    input: Said | None
    """Replaces the input; only with `from_step=1`."""
    agent: str | None
    """`catalog`: the agent as it is today; absent: as the run has it."""
    model: str | None
    instructions: str | None
    tools: Sequence[str] | None
    """The names of the tools that the fork has."""
    settings: GivenSettings | None
    """On top of the agent's."""
    output_schema: type[BaseModel] | Mapping[str, JsonValue] | None
    """A pydantic model or a JSON Schema that the answer must fit; see `Run.result`."""
    limits: GivenLimits | None
    """In place of the agent's; they count from the fork on."""
    metadata: Mapping[str, str] | None
    """Added to the run's; these win."""
    steps: int | None
    """The fork ends after so many answers."""
    idempotency_key: str | None
    """The same key and request again give the fork that was started the first time."""


def forking(run_id: str, fields: ForkFields) -> Call[ForkAccepted]:
    """Fork a run.

    Raises:
        TypeError: there is no such field.
    """
    if unknown := fields.keys() - ForkFields.__annotations__.keys():
        raise TypeError(f"a fork has no field {min(unknown)!r}")
    given = {name: value for name, value in fields.items() if value is not None}
    key = given.pop("idempotency_key", None)
    body = {name: json_of(name, value) for name, value in given.items()}
    said = {"message": fields.get("message"), "input": fields.get("input")}
    body |= {name: json_parts(it) for name, it in said.items() if it is not None}
    headers = {} if key is None else {"Idempotency-Key": str(key)}
    return Call("POST", path_of(run_id, "fork"), ForkAccepted, body=body, headers=headers)
