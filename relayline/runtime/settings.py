"""Every knob, with its unit. Read by the composition roots only: worker.py, api/app.py, cli.py."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from relayline.catalog.models import parse_provider_limits
from relayline.contracts.queues import ALL_WORK, BUILD_ID_PATTERN, Work, parse_work

_SECRET = {"RELAYLINE_JOURNAL", "RELAYLINE_COMPATIBLE_API_KEY"}
"""What may hold a password or a key, and is not quoted when it is wrong."""
_BEGINS_AS_POSTGRES = re.compile(r"\s*postgres(ql)?:", re.IGNORECASE)
"""Whoever writes that means no file of that name, even with a slash too few."""


class BadSettings(Exception):
    """A setting is not what it has to be; the message names it, on one line."""


class Settings(BaseSettings):
    """Relayline's settings; each is also an environment variable `RELAYLINE_<NAME>`.

    Where Temporal is comes from Temporal's own configuration (`TEMPORAL_ADDRESS`,
    `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, TLS, profiles), see `temporalio.envconfig`.
    """

    model_config = SettingsConfigDict(
        env_prefix="RELAYLINE_", frozen=True, extra="ignore", enable_decoding=False
    )

    data_dir: Path = Path(".relayline")
    """Where the embedded journal and Temporal keep their files."""
    journal: str = Field(default="", repr=False)
    """Journal to use: a path of a SQLite file, or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.
    Empty: `{data_dir}/journal.db`."""
    relaxed_deltas: bool = True
    """In Postgres, text deltas do not wait for its disk: a crash of Postgres, though not a restart,
    may lose the newest. False: they do, as facts always do."""

    model: str = "rehearsal"
    """Model of the built-in agent."""
    catalog: str = ""
    """Module with the user's own agents and tools, e.g. `package.module`."""
    files_root: Path = Path()
    """The only folder that the file tools see."""
    allow_commands: bool = False
    """Offer the tool `run_command`."""
    fetch_allow: tuple[str, ...] = ()
    """Hosts (`name` or `name:port`) that `fetch_url` may reach although they are private or
    loopback; with commas between them, or as a JSON list."""
    compatible_base_url: str = ""
    """Base URL of an OpenAI-compatible server, for models named `compatible:NAME`."""
    compatible_api_key: str = ""
    """Its key, if it wants one."""
    local_base_url: str = ""
    """Base URL of the local model's server; set by `relayline dev --local-model`."""

    api_host: str = "127.0.0.1"
    """Address that the API listens on."""
    api_port: int = Field(default=8000, ge=0, le=65535)
    """0 takes a free one. `tcp://HOST:PORT` counts as not set: Kubernetes tells every pod so of a
    Service that is named `relayline-api`, whether it wants to know or not."""
    api_workers: int = Field(default=1, ge=1, le=64)
    """API processes that share the address; `relayline api --workers`. What they count is summed
    up in a temporary folder (`TMPDIR`)."""
    forwarded_allow_ips: str = ""
    """Proxies whose `X-Forwarded-For` says who the client is: addresses and networks with commas
    between them. `*` trusts whoever connects. Empty trusts nobody: the client is who connects."""
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Size of a request body."""
    max_input_bytes: int = Field(default=256 * 1024, ge=1)
    """Size of a run's input, UTF-8."""
    max_metadata_keys: int = Field(default=16, ge=0)
    """Most keys in the metadata of a run."""
    max_streams_per_client: int = Field(default=64, ge=1)
    """Open streams per client address, in each API process; behind a proxy, see
    `forwarded_allow_ips`."""
    heartbeat_s: float = Field(default=15, gt=0)
    """Seconds between comments on a silent stream."""
    send_timeout_s: float = Field(default=120, gt=0)
    """Seconds in which a client takes nothing of what it is sent until its stream is closed; it
    resumes."""
    temporal_ui: str = ""
    """Base URL of the Temporal Web UI, for links."""

    retention_days: float = Field(default=7, ge=0, le=36_500, allow_inf_nan=False)
    """Days that the events of an ended run are kept; 0, or empty, keeps them for ever."""

    queues: str = ALL_WORK
    """Kinds of work that a worker takes, any of `runs,models,tools`; a run needs every kind to be
    taken by some worker."""
    build_id: str = Field(default="", pattern=f"^$|{BUILD_ID_PATTERN}")
    """Version of a worker's code, e.g. a commit. Set: the worker is part of a Worker Deployment and
    takes runs as `relayline deploy` says. Empty: it takes any run."""
    deployment: str = Field(default="relayline", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """Name of the Worker Deployment that builds are versions of."""

    drain_s: float = Field(default=120, gt=0)
    """Seconds that a stopping worker lets running calls finish."""
    max_activities: int = Field(default=200, ge=1)
    """Tool calls that one worker runs at a time."""
    max_model_calls: int = Field(default=200, ge=1)
    """Model calls that one worker makes at a time, of each provider without a limit of its own."""
    provider_limits: str = ""
    """What one worker asks of a provider at most: `openai=20,anthropic=10@5/s` is 20 calls at once
    of the one, 10 of the other and 5 begun per second."""
    model_idle_s: float = Field(default=60, gt=0, le=1800)
    """Seconds that a remote model may be silent before its call counts as failed; more for those
    that think long without a word."""
    max_cached_workflows: int = Field(default=1000, ge=0)
    """Runs that a worker keeps in memory; 0 replays each run's history at every task."""
    max_workflow_tasks: int = Field(default=100, ge=2)
    """Runs that one worker decides about at a time, which takes milliseconds each."""
    min_pollers: int = Field(default=2, ge=1, le=100)
    """Open requests for the next task that one worker keeps per task queue, at least."""
    max_pollers: int = Field(default=20, ge=1, le=1000)
    """The same at most; between the two, Temporal says how many the load asks for."""

    @field_validator("api_port", mode="before")
    @classmethod
    def _is_no_service_link(cls, value: object) -> object:
        linked = isinstance(value, str) and value.startswith("tcp://")
        return cls.model_fields["api_port"].default if linked else value

    @field_validator("fetch_allow", mode="before")
    @classmethod
    def _are_hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.startswith("["):
            return json.loads(value)
        return tuple(filter(None, map(str.strip, value.lower().split(","))))

    @field_validator("provider_limits")
    @classmethod
    def _are_limits(cls, text: str) -> str:
        parse_provider_limits(text)
        return text

    @field_validator("journal")
    @classmethod
    def _is_path_or_postgres(cls, journal: str) -> str:
        is_address = "://" in journal or _BEGINS_AS_POSTGRES.match(journal)
        if is_address and (error := _wrong_with(journal)):
            raise ValueError(
                f"{error}: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, the password "
                "percent-encoded (%40 for @, %2F for /)"
            )
        return journal

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _are_addresses(cls, text: str) -> str:
        for part in text.split(",") if text not in {"", "*"} else ():
            ip_network(part.strip())  # an address is a network of one
        return text

    @field_validator("queues")
    @classmethod
    def _are_queues(cls, text: str) -> str:
        parse_work(text)
        return text

    @model_validator(mode="after")
    def _pollers_have_room(self) -> Self:
        if self.min_pollers > self.max_pollers:
            raise ValueError(
                f"RELAYLINE_MIN_POLLERS ({self.min_pollers}) is above "
                f"RELAYLINE_MAX_POLLERS ({self.max_pollers})"
            )
        return self

    @field_validator("retention_days", mode="before")
    @classmethod
    def _for_ever_if_empty(cls, value: object) -> object:
        return value or 0

    @property
    def work(self) -> frozenset[Work]:
        """Kinds of work that a worker takes."""
        return parse_work(self.queues)

    @property
    def retention(self) -> timedelta | None:
        """How long the events of an ended run are kept; None for ever."""
        return timedelta(days=self.retention_days) if self.retention_days else None

    @property
    def journal_dsn(self) -> str | None:
        """Address of the Postgres journal, password included; None for a SQLite file."""
        return self.journal if "://" in self.journal else None

    @property
    def journal_path(self) -> Path:
        """File of the SQLite journal, where that is used."""
        return Path(self.journal) if self.journal else self.data_dir / "journal.db"


def _wrong_with(dsn: str) -> str | None:
    """What is wrong with the address of a Postgres journal; never quotes it.

    A second `@`, or one after a `/`, comes with a password that is not percent-encoded: a piece of
    it would be taken for the host or the database, and be shown as that.
    """
    try:
        parts = urlsplit(dsn)
        parts.port  # noqa: B018  raises when it is no number
        parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        return "the address can't be read"
    if parts.scheme not in {"postgresql", "postgres"}:
        return "only Postgres, or the path of a SQLite file, can be the journal"
    in_its_place = dsn.count("@") == parts.netloc.count("@") <= 1
    if "://" not in dsn or not in_its_place:
        return "the address can't be read"
    return None if parts.path.strip("/") else "the address names no database"


def load_settings() -> Settings:
    """The settings of the environment.

    Raises:
        BadSettings: one of them is not what it has to be.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:  # of several settings together: the message names them
            raise BadSettings(said) from error
        name = f"RELAYLINE_{first['loc'][0]}".upper()
        given = "set" if name in _SECRET else repr(first["input"])
        raise BadSettings(f"{name} is {given}: {said}") from None
