"""The requests of the HTTP protocol and the meaning of their answers; does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypedDict, TypeVar, cast
from urllib.parse import quote

import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from relayline.client.errors import InvalidArgument, error_of, unexpected
from relayline.client.events import Event
from relayline.client.files.saying import Said, fields_of, json_history, json_parts
from relayline.client.listing import RunFilters, page_params, params_of
from relayline.contracts.answers import (
    InboxKind,
    InboxView,
    ProgressView,
    RunAccepted,
    RunCounts,
    RunList,
    RunView,
)
from relayline.contracts.command_answers import CommandReceipt, CommandView
from relayline.contracts.commands import AnyCommand, Decide, SendMessage
from relayline.contracts.frozen import Frozen
from relayline.contracts.runs import Limits, ModelSettings
from relayline.contracts.runs.output import schema_of

EVENT_STREAM = "text/event-stream"
CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 30.0
"""For an answer, on top of the time that a call asks the server to wait."""
_MAX_SEQ = 10**18 - 1
PAGE = 1000
"""Events on a page; the most that the server gives."""

GivenLimits = Limits | Mapping[str, JsonValue]
GivenSettings = ModelSettings | Mapping[str, JsonValue]
GivenWebhook = Mapping[str, JsonValue]
"""`{"url": …, "events": […]}` or `{"id": …}`."""
Answer = TypeVar("Answer", bound=BaseModel)


class RunFields(TypedDict, total=False):
    """What a submission may say besides agent and input; None is as if it were not given."""

    model: str | None
    """In place of the agent's own: `rehearsal`, `local` or `provider:name`."""
    limits: GivenLimits | None
    """Fields of `Limits`; those that are not given are the agent's."""
    output_schema: type[BaseModel] | Mapping[str, JsonValue] | None
    """A pydantic model or a JSON Schema that the answer must fit; see `Run.result`."""
    settings: GivenSettings | None
    """Fields of `ModelSettings`; a null leaves one to the provider."""
    metadata: Mapping[str, str] | None
    """The caller's own labels."""
    user: str | None
    """For whom the run works; the key's own subject if absent."""
    history: Sequence[Mapping[str, Said]] | None
    """What was said before, oldest first: `{"role": "user" or "assistant", "content": …}`; the
    content of a user is a text, or texts and parts."""
    webhook: GivenWebhook | None
    """Whom to tell of the run."""
    retention_days: float | None
    """The run is erased so many days after its end."""
    priority: int | None
    """1 (first) to 5 (last), where runs wait for a worker; 3 if absent."""
    fairness_key: str | None
    """Runs with the same key share their part of the workers; those of a tenant do if absent."""
    open: bool | Mapping[str, JsonValue] | None
    """True for a conversation; or `{"idle_s": …}`, the seconds for which it may be idle."""
    start_at: datetime | str | None
    """When the run starts, with a time zone; at once if absent."""
    delay_s: float | None
    """Seconds until the run starts, in place of `start_at`."""
    idempotency_key: str | None
    """The same key and request again give the run that was started the first time, so that a
    submission can be repeated when its answer was lost."""


class Nothing(Frozen):
    """An answer without a body."""


class Page(Frozen):
    """One page of a journal."""

    events: tuple[Event, ...]
    next: int
    """Cursor for the next page."""
    ended: bool
    """True when nothing comes after this page."""


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One request, and the type of its answer."""

    method: str
    path: str
    answer: type[Answer]
    params: Mapping[str, str | int | float | list[str]] = field(default_factory=dict)
    body: Mapping[str, JsonValue] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0
    """How long the server is asked to wait before it answers."""
    answered_by: frozenset[int] = frozenset()
    """Error statuses that have an answer of this type as well."""

    def request(
        self, http: httpx.Client | httpx.AsyncClient, stream_silence_s: float | None = None
    ) -> httpx.Request:
        """The request.

        Args:
            http: The pool that will send it.
            stream_silence_s: Ask for an event stream, which is dead after that much silence.

        Raises:
            InvalidArgument: JSON in UTF-8 can't hold the body.
        """
        wait = {"wait": self.wait_s} if self.wait_s else {}
        accept = {} if stream_silence_s is None else {"Accept": EVENT_STREAM}
        read_s = stream_silence_s or TIMEOUT_S + self.wait_s
        try:
            return http.build_request(
                self.method,
                self.path,
                params={**self.params, **wait},
                json=None if self.body is None else dict(self.body),
                headers={**self.headers, **accept},
                timeout=httpx.Timeout(read_s, connect=CONNECT_TIMEOUT_S),
            )
        except ValueError as error:
            raise InvalidArgument(f"what was given can't be sent: {error}") from error

    def result(self, base_url: str, response: httpx.Response) -> Answer:
        """What the server answered; the body must have been read.

        Raises:
            ApiError: the server refused or failed.
            UnexpectedAnswer: the answer is not in the protocol.
        """
        status = response.status_code
        if not response.is_success and status not in self.answered_by:
            raise error_of(base_url, response)
        if status == httpx.codes.NO_CONTENT:
            return self.answer()
        try:
            return self.answer.model_validate_json(response.content)
        except ValidationError as error:
            raise unexpected(
                base_url, f"with something that is no {self.answer.__name__}"
            ) from error


def submit(agent: str, said: Said, fields: RunFields) -> Call[RunAccepted]:
    """Start a run.

    Raises:
        TypeError: there is no such field.
        InvalidArgument: `start_at` has no time zone.
    """
    if unknown := fields.keys() - RunFields.__annotations__.keys():
        raise TypeError(f"a run has no field {min(unknown)!r}")
    given = {name: value for name, value in fields.items() if value is not None}
    key, history = given.pop("idempotency_key", None), fields.get("history")
    body: dict[str, JsonValue] = {"agent": agent, "input": json_parts(said)}
    body |= {name: json_of(name, value) for name, value in given.items() if name != "history"}
    if history is not None:
        body["history"] = json_history(history)
    headers = {} if key is None else {"Idempotency-Key": str(key)}
    return Call("POST", "/v1/runs", RunAccepted, body=body, headers=headers)


def json_of(name: str, value: object) -> JsonValue:
    """The field of a body.

    Raises:
        InvalidArgument: it is a time without a time zone.
        PydanticUserError: a field of the model has no JSON Schema.
    """
    match value:
        case Limits() | ModelSettings():
            return value.model_dump(mode="json", exclude_unset=True)
        case datetime() if value.tzinfo is None:
            raise InvalidArgument(f"{name}: {value.isoformat()} has no time zone")
        case datetime():
            return value.isoformat()
        case Mapping():
            return dict(value)
        case type() if issubclass(value, BaseModel):
            return schema_of(value)
        case list() | tuple():
            return [json_of(name, item) for item in value]
        case _:
            return cast("JsonValue", value)  # the server checks it


def run_of_stream(base_url: str, answer: httpx.Response) -> str:
    """The id of the run whose stream answers its submission; the body of an error must be read.

    Raises:
        ApiError: the server refused or failed.
        UnexpectedAnswer: the answer is not in the protocol.
    """
    if answer.is_error:
        raise error_of(base_url, answer)
    run_id = str(answer.headers.get("x-run-id", ""))
    if not run_id:
        raise unexpected(base_url, f"{answer.status_code} without the id of the run")
    return run_id


def get(run_id: str, wait_s: float = 0, command_id: str | None = None) -> Call[RunView]:
    """A run as it stands; `wait_s`: at most 60; `command_id`: wait for the turn that it begins."""
    params = {} if command_id is None else {"command": command_id}
    return Call("GET", path_of(run_id), RunView, params, wait_s=wait_s)


def erase(run_id: str) -> Call[Nothing]:
    """Erase an ended run."""
    return Call("DELETE", path_of(run_id), Nothing)


def listing(filters: RunFilters, limit: int, cursor: str | None) -> Call[RunList]:
    """One page of runs, newest first."""
    page = page_params(limit, cursor)
    return Call("GET", "/v1/runs", RunList, params_of(filters) | page)


def counts(filters: RunFilters) -> Call[RunCounts]:
    """How many runs match, by status."""
    return Call("GET", "/v1/runs/counts", RunCounts, params_of(filters))


def inbox(
    kind: InboxKind | Sequence[InboxKind] | None, agent: str | None, limit: int, cursor: str | None
) -> Call[InboxView]:
    """One page of what waits for a person, most urgent first."""
    params = page_params(limit, cursor)
    if kind:
        params["kind"] = [kind] if isinstance(kind, str) else [*kind]
    if agent is not None:
        params["agent"] = agent
    return Call("GET", "/v1/inbox", InboxView, params)


def events(run_id: str, after: int) -> Call[Page]:
    """One page of the journal: events with `seq > after`."""
    return Call("GET", path_of(run_id, "events"), Page, {"after": after, "limit": PAGE})


def newest(run_id: str) -> Call[Page]:
    """The newest event; `next` is its `seq`, 0 if there is none."""
    return Call("GET", path_of(run_id, "events"), Page, {"before": _MAX_SEQ, "limit": 1})


def progress(run_id: str) -> Call[ProgressView]:
    """Where a run stands now."""
    return Call("GET", path_of(run_id, "progress"), ProgressView)


def send(run_id: str, command: AnyCommand) -> Call[CommandReceipt]:
    """A command."""
    fields = fields_of(command)
    fields.pop("approval_id", None)
    if not command.command_id:
        del fields["command_id"]
    body = {name: value for name, value in fields.items() if value is not None}
    if isinstance(command, Decide):
        path = path_of(run_id, "approvals", command.approval_id)
    elif isinstance(command, SendMessage):
        path = path_of(run_id, "messages")
    else:
        path = path_of(run_id, command.kind.value)
    return Call("POST", path, CommandReceipt, body=body)


def command(run_id: str, command_id: str, wait_s: float = 0) -> Call[CommandView]:
    """The outcome of a command; `wait_s`: at most 30."""
    return Call("GET", path_of(run_id, "commands", command_id), CommandView, wait_s=wait_s)


def path_of(*parts: str) -> str:
    """The path of a run, or of what belongs to it; a part never leads to another path."""
    return "/".join(("/v1/runs", *(quote(part, safe="") for part in parts)))
