"""Request bodies of the HTTP API."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SkipValidation,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from relayline.api.part_bodies import AS_TEXT, EITHER, AsParts, Parts
from relayline.api.setting_bodies import RequestedSettings
from relayline.contracts.runs import MIDDLE_PRIORITY, Limits
from relayline.contracts.submissions.batches import MAX_BATCH_RUNS
from relayline.contracts.submissions.schedules import Overlap
from relayline.contracts.webhooks import MAX_AGENTS, MAX_URL_CHARS, WEBHOOK_ID_PATTERN, ToldType

IDLE_S = 7 * 86_400
"""Seconds for which a conversation may be idle."""
MAX_HISTORY = 1000
"""Messages of a history."""
MAX_FILES = 100
"""Images and files of an input and its history."""
Content = Annotated[Annotated[str, Field(min_length=1), AS_TEXT] | AsParts, EITHER]
"""A text, or parts."""
LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]


LabelValue = Annotated[str, StringConstraints(max_length=512)]


ModelName = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]


_ScheduleId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


_Cron = Annotated[str, StringConstraints(pattern=r"^[^\s@=#]+( [^\s@=#]+){4}$", max_length=200)]


_User = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]


_Priority = Annotated[int, Field(ge=1, le=5)]


def lone_surrogate(given: object) -> str | None:
    """The path (`metadata.tenant`) of a text or name that holds half a surrogate pair.

    JSON can write one (`\\ud83d`), no encoding can: neither Temporal nor a journal takes it. None
    if there is none; "" if the value itself is one.
    """
    found: list[tuple[_Place | None, object]] = [(None, given)]
    while found:  # not recursive: a body may be nested as deeply as JSON's reader allows
        place, value = found.pop()
        if isinstance(value, str):
            if not _encodable(value):
                return _path(place)
        elif isinstance(value, dict):
            for name, item in value.items():
                if not _encodable(name):
                    return _path(_Place(place, name))
                found.append((_Place(place, name), item))
        elif isinstance(value, list):
            found += [(_Place(place, str(index)), item) for index, item in enumerate(value)]
    return None


class _Place(NamedTuple):
    """Where a value stands; made into a path only for the one that is refused."""

    above: _Place | None
    name: str


def _path(place: _Place | None) -> str:
    names: list[str] = []
    while place is not None:
        names.append(place.name.encode(errors="backslashreplace").decode())
        place = place.above
    return ".".join(reversed(names))


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Body(BaseModel):
    """A request's body: no unknown fields, no values of another type."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_lone_surrogates(cls, given: object) -> object:
        """One validator for every text of every request."""
        if (field := lone_surrogate(cls.shared(given))) is not None:
            raise PydanticCustomError(
                "lone_surrogate",
                "half a surrogate pair (\\ud800 to \\udfff) is no character",
                {"field": field[:200]},
            )
        return given

    @classmethod
    def shared(cls, given: object) -> object:
        """The part of what was sent that this model checks itself."""
        return given


class RequestedLimits(Limits):
    """Limits of one run; the agent's apply where none is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


_Url = Annotated[str, StringConstraints(pattern=rf"^[\x21-\x7e]{{1,{MAX_URL_CHARS}}}$")]
_Events = Annotated[tuple[ToldType, ...], Field(min_length=1, max_length=20, strict=False)]
_Agent = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class RunWebhook(Body):
    """Whom to tell of one run: a URL, or a registered webhook."""

    url: _Url | None = None
    """https; at most 2,048 printable ASCII characters. Signed with the default secret, see
    `POST /v1/webhooks/default/rotate`."""
    events: _Events | None = None
    """Only with `url`: the types of events to tell; all if absent."""
    id: str | None = Field(default=None, pattern=WEBHOOK_ID_PATTERN)
    """A registered webhook, told of this run whatever its agents are."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.url is None) == (self.id is None):
            raise PydanticCustomError("one_of", "give either url or id", {"field": "webhook"})
        if self.id is not None and self.events is not None:
            raise PydanticCustomError(
                "one_of",
                "only with url; a registered webhook has its own",
                {"field": "webhook.events"},
            )
        return self


class WebhookRequest(Body):
    """A receiver of webhooks."""

    url: _Url
    """https; at most 2,048 printable ASCII characters, without user name and fragment."""
    events: _Events | None = None
    """The types of events to tell; all if absent."""
    agents: (
        Annotated[tuple[_Agent, ...], Field(min_length=1, max_length=MAX_AGENTS, strict=False)]
        | None
    ) = None
    """Tell of the runs of these agents only; of all if absent."""
    tenant: str | None = Field(default=None, min_length=1, max_length=255)
    """Tell of the runs of this tenant; `default` if absent."""


class OpenRequest(Body):
    """How long a conversation stays open."""

    idle_s: float = Field(default=IDLE_S, gt=0, le=366 * 86_400, allow_inf_nan=False)
    """Seconds after the end of a turn at which the run ends by itself; default: 7 days."""


class HistoryMessage(Body):
    """Something that was said before the run."""

    role: Literal["user", "assistant"]
    content: Content
    """A text; of the role `user`, also parts."""

    @field_validator("content")
    @classmethod
    def _only_users_show_files(cls, content: str | Parts, said: ValidationInfo) -> str | Parts:
        if said.data.get("role") == "assistant" and not isinstance(content, str):
            raise PydanticCustomError("text_only", "an assistant's message is a text")
        return content


class RunRequest(Body):
    """A run to start."""

    agent: str = Field(max_length=64)
    """The name of an agent from `GET /v1/agents`."""
    input: Content
    """The user's message: text, or parts. Texts have at most `RELAYLINE_MAX_INPUT_BYTES` bytes of
    UTF-8."""
    history: list[HistoryMessage] | None = Field(default=None, max_length=MAX_HISTORY)
    """What was said before, oldest first; the input follows it. With the input, it has at most
    `RELAYLINE_MAX_INPUT_BYTES` bytes of UTF-8 and 100 images and files; it counts against no limit
    of the run."""
    model: ModelName | None = None
    """Replaces the agent's model: `rehearsal`, `local` or `provider:name`, one that the agent
    allows; at most 200 printable ASCII characters."""
    limits: RequestedLimits | None = None
    output_schema: dict[str, JsonValue] | None = None
    """JSON Schema of the answer, an object; at most 32 KiB and 32 levels. Replaces the agent's."""
    settings: RequestedSettings | None = None
    """On top of the agent's."""
    metadata: dict[LabelKey, LabelValue] | None = None
    """Labels of the caller's own. `tenant` is searchable in Temporal; it has at most 255 characters
    and 680 bytes of UTF-8, and no control characters."""
    user: _User | None = None
    """For whom the run works, told to its tools; your own subject if absent. Proves nothing."""
    open: bool | OpenRequest = False
    """true: a conversation, which is idle after each turn and takes messages until it is closed."""
    retention_days: float | None = Field(default=None, gt=0, le=36_500, allow_inf_nan=False)
    """Days after its end after which the run is erased, as by `DELETE`; at most
    `RELAYLINE_RETENTION_DAYS`. Replaces the agent's."""
    webhook: RunWebhook | None = None
    """Whom to tell of this run, besides the registered webhooks that are told of it anyway."""
    start_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    """Start then: RFC 3339 with a time zone, at most 366 days ahead; in the past: at once."""
    delay_s: float | None = Field(default=None, gt=0, le=366 * 86_400, allow_inf_nan=False)
    """Start after so many seconds; give it or `start_at`."""
    priority: _Priority = MIDDLE_PRIORITY
    """1 is served first, 5 last."""
    fairness_key: LabelKey | None = None
    """Runs with the same key share their part of the workers; those without one share their
    tenant's."""


class BatchRequest(Body):
    """Runs to start, each on its own."""

    runs: list[SkipValidation[RunRequest]] = Field(min_length=1, max_length=MAX_BATCH_RUNS)
    """Bodies of `POST /v1/runs`. One that is refused there is rejected here, and does not affect
    the others."""
    priority: _Priority | None = None
    """For those that have none of their own."""
    metadata: dict[LabelKey, LabelValue] | None = None
    """Added to that of each run; the run's own values win."""

    @classmethod
    def shared(cls, given: object) -> object:
        """What all runs share: each of `runs` is checked on its own."""
        if isinstance(given, dict):
            return {name: value for name, value in given.items() if name != "runs"}
        return given


class ScheduleRequest(Body):
    """A run to submit again and again; give `cron` or `every_s`."""

    schedule_id: _ScheduleId | None = None
    """The schedule's id; generated if absent. The same request with the same id is one schedule."""
    cron: _Cron | None = None
    """Five fields: minute, hour, day of the month, month, day of the week."""
    every_s: int | None = Field(default=None, ge=1, le=366 * 86_400)
    """Seconds between two times, counted from 1970-01-01T00:00:00Z."""
    timezone: str = Field(default="UTC", max_length=64)
    """An IANA name such as Europe/Berlin, for `cron`."""
    overlap: Overlap = "skip"
    """At a time when the run before has not ended: `skip` it, `queue` the run until it has, or let
    `all` run."""
    run: RunRequest
    """The body of `POST /v1/runs`; checked now, and at each time against the catalog of then."""


class ScheduleChange(Body):
    """A change of a schedule."""

    paused: bool
    """true: nothing is submitted until false; times meanwhile are skipped."""
