"""Every setting with its unit. Only composition roots read them: worker.py, api/app.py, cli.py."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from relayline.catalog.models import parse_provider_limits
from relayline.contracts.queues import ALL_WORK, BUILD_ID_PATTERN, Work, parse_work
from relayline.journal.beats import beats_path
from relayline.runtime.dsn import POSTGRES_PREFIX, checked_dsn
from relayline.runtime.payloads.key_settings import PayloadKeySettings
from relayline.runtime.prices import parse_prices
from relayline.runtime.setting_groups.oidc_settings import OidcSettings
from relayline.runtime.setting_groups.quota_settings import QuotaSettings
from relayline.runtime.setting_groups.webhook_settings import WebhookSettings, parse_list

_KEYS = ("COMPATIBLE_API_KEY", "SECRET", "PAYLOAD_KEYS")
_SECRET = {f"RELAYLINE_{it}" for it in ("JOURNAL", "JOURNAL_OWNER", *_KEYS)}
"""Settings that may hold a password or a key: an error never quotes them."""
_NAMES = {
    "allowed_hosts": (
        re.compile(r"\*|(\*\.)?[a-z0-9_.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE),
        "NAME, *.NAME or [IPv6], without port",
    ),
    "allowed_origins": (
        re.compile(r"https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE),
        "https://NAME or https://NAME:PORT, without path",
    ),
}
_PARSERS = {"provider_limits": parse_provider_limits, "prices": parse_prices, "queues": parse_work}


class BadSettings(Exception):
    """A setting has a value that it can't have; the message names the setting, on one line."""


class Settings(OidcSettings, QuotaSettings, WebhookSettings, PayloadKeySettings):
    """Relayline's settings; each is also an environment variable `RELAYLINE_<NAME>`.

    Where Temporal is comes from Temporal's own configuration (`TEMPORAL_ADDRESS`,
    `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, TLS, profiles), see `temporalio.envconfig`.
    """

    model_config = SettingsConfigDict(
        env_prefix="RELAYLINE_", frozen=True, extra="ignore", enable_decoding=False
    )

    data_dir: Path = Path(".relayline")
    """Folder of the SQLite journal and of everything that `relayline dev` writes."""
    journal: str = Field(default="", repr=False)
    """Where the journal is: the path of a SQLite file, or
    `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`; empty means `journal.db` in
    `RELAYLINE_DATA_DIR`."""
    relaxed_deltas: bool = True
    """Whether Postgres confirms text deltas before they are on disk: a crash of Postgres, but not a
    restart, may then lose the newest ones. Messages, results and decisions always wait for it."""

    model: str = "rehearsal"
    """Model of the built-in agent, and of every agent that names none."""
    catalog: str = ""
    """Python module with your own agents and tools, such as `package.module`; empty means none."""
    files_root: Path = Path()
    """The only folder that the file tools can see; keys, `.env`, `.git` and the folder
    `RELAYLINE_DATA_DIR` in it are hidden from them."""
    allow_commands: bool = False
    """Whether agents are offered the tool `run_command`."""
    command_network: bool = True
    """Whether commands may use the network; 0 needs bubblewrap, without which no worker starts."""
    fetch_allow: tuple[str, ...] = ()
    """Private and loopback hosts that `fetch_url` may reach: `name` or `name:port`, separated by
    commas or as a JSON list."""
    compatible_base_url: str = ""
    """Base URL of an OpenAI-compatible server, for models named `compatible:NAME`."""
    compatible_api_key: str = ""
    """API key of the server at `RELAYLINE_COMPATIBLE_BASE_URL`; empty sends none."""
    prices: str = ""
    """Prices of models in US dollars for a million tokens of input, output and, if given, cached
    input, before those that Relayline knows: `openai:gpt-5=1.25/10,ollama:qwen3=0.2/0.6/0.05`."""
    local_base_url: str = ""
    """Base URL of the local model's server; `relayline dev --local-model` sets it."""

    api_host: str = "127.0.0.1"
    """Address that the API listens on."""
    api_port: int = Field(default=8000, ge=0, le=65535)
    """Port that the API listens on; 0 takes a free one. A value `tcp://HOST:PORT` is ignored:
    Kubernetes injects it into every pod when a Service is called `relayline-api`."""
    api_workers: int = Field(default=1, ge=1, le=64)
    """Number of API processes that share the address, the same as `relayline api --workers`; they
    add up their metrics in a temporary folder (`TMPDIR`)."""
    forwarded_allow_ips: str = ""
    """Proxies whose `X-Forwarded-For` is trusted to name the client: addresses and networks,
    separated by commas; `*` trusts everyone, empty trusts no one."""
    allowed_hosts: tuple[str, ...] = ()
    """Names, without port, under which clients reach the API besides `localhost` and the address
    that it listens on; `*.example.com` stands for all names below it, `*` for every name. Separated
    by commas or as a JSON list."""
    allowed_origins: tuple[str, ...] = ()
    """Origins whose web pages may use the API besides its own, such as `https://app.example.com`;
    separated by commas or as a JSON list."""
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Largest request body, in bytes."""
    max_input_bytes: int = Field(default=256 * 1024, ge=1)
    """Largest input of a run, in bytes of UTF-8."""
    max_metadata_keys: int = Field(default=16, ge=0)
    """Most keys in the metadata of a run."""
    max_streams_per_client: int = Field(default=64, ge=1)
    """Most open streams per client address in each API process; behind a proxy, set
    `RELAYLINE_FORWARDED_ALLOW_IPS`, too."""
    max_connections_per_client: int = Field(default=1024, ge=1)
    """Most open connections per client address in each API process; the proxies in
    `RELAYLINE_FORWARDED_ALLOW_IPS` have no limit."""
    heartbeat_s: float = Field(default=10, gt=0)
    """Seconds between comments on a silent stream."""
    send_timeout_s: float = Field(default=120, gt=0)
    """Seconds after which the API closes the connection of a client that reads nothing; the client
    can resume a stream."""
    temporal_ui: str = ""
    """Base URL of the Temporal Web UI, for links to runs; empty gives none."""
    page_url: str = Field(default="", pattern=r"^$|^https?://[A-Za-z0-9.:\[\]-]+/?$")
    """Where people reach the page, such as `https://runs.example.com`, for the link to it in
    Temporal's Web UI; empty gives none. Of API and workers."""

    retention_days: float = Field(default=7, ge=0, le=36_500, allow_inf_nan=False)
    """Days for which the events of an ended run are kept; 0 or empty keeps them forever."""

    queues: str = ALL_WORK
    """Kinds of work that a worker takes, any of `runs,models,tools`; every kind needs a worker."""
    build_id: str = Field(default="", pattern=f"^$|{BUILD_ID_PATTERN}")
    """Version of a worker's code, such as a commit; with one, the worker joins a Worker Deployment
    and takes the runs that `relayline deploy` gives its build, without one it takes any run."""
    deployment: str = Field(default="relayline", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """Name of the Worker Deployment that the builds belong to."""
    redact: str = ""
    """Environment variables whose values are cut out of tool output, answers and errors, besides
    those of keys: names, separated by commas. Values of fewer than 16 bytes are left alone."""

    worker_port: int = Field(default=0, ge=0, le=65535)
    """Port on which a worker answers `GET /healthz`: 200, or 503 when it polls no more and must be
    replaced; and `GET /metrics`. 0 means none."""
    worker_host: str = "127.0.0.1"
    """Address that a worker listens on for `RELAYLINE_WORKER_PORT`."""
    beat_s: float = Field(default=0.5, ge=0.1, le=10)
    """Seconds between two beats of a worker in the journal, by which the others know it lives."""
    patience_s: float = Field(default=1.0, ge=1, le=600)
    """Seconds, two beats or more, that a worker may stand still before others take its calls."""
    heartbeat_timeout_s: float = Field(default=60, ge=3, le=3600)
    """Seconds without a heartbeat after which Temporal itself gives a call to another worker, for
    when no worker is left to watch; a call heartbeats at a third of it."""
    drain_s: float = Field(default=120, gt=0)
    """Seconds that a stopping worker gives running calls to finish."""
    max_activities: int = Field(default=200, ge=1)
    """Most tool calls that one worker runs at a time."""
    max_model_calls: int = Field(default=200, ge=1)
    """Most model calls that one worker makes at a time, for each provider that
    `RELAYLINE_PROVIDER_LIMITS` does not name."""
    provider_limits: str = ""
    """Limits of one worker by provider: `openai=20,anthropic=10@5/s` allows OpenAI 20 calls at a
    time, and Anthropic 10 at a time of which at most 5 start per second."""
    max_worker_losses: int = Field(default=3, ge=1, le=1000)
    """Times that a tool or model call may take its worker along before it fails as `worker-lost`;
    the first time does not count, because other calls were at work, too."""
    model_idle_s: float = Field(default=60, gt=0, le=1800)
    """Seconds of silence from a remote model after which its call fails; raise it for models that
    think for long without output."""
    max_cached_workflows: int = Field(default=1000, ge=0)
    """Most runs that a worker keeps in memory; 0 replays a run's history at every task."""
    max_workflow_tasks: int = Field(default=16, ge=2)
    """Most runs that one worker decides on at a time; a decision takes milliseconds. With more,
    urgent runs wait longer behind a flood, and nothing goes faster."""
    min_pollers: int = Field(default=2, ge=1, le=100)
    """Fewest open requests for the next task that one worker keeps per task queue."""
    max_pollers: int = Field(default=20, ge=1, le=1000)
    """Most open requests for the next task that one worker keeps per task queue; Temporal sets the
    number by load."""

    @field_validator("api_port", mode="before")
    @classmethod
    def _ignore_service_link(cls, value: object) -> object:
        linked = isinstance(value, str) and value.startswith("tcp://")
        return cls.model_fields["api_port"].default if linked else value

    @field_validator("fetch_allow", "allowed_hosts", "allowed_origins", mode="before")
    @classmethod
    def _parse_hosts(cls, value: object) -> object:
        return parse_list(value)

    @field_validator("allowed_hosts", "allowed_origins")
    @classmethod
    def _check_names(cls, listed: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        pattern, form = _NAMES[info.field_name or ""]
        for name in listed:
            if not pattern.fullmatch(name):
                raise ValueError(f"{name!r} is not of the form {form}")
        return listed

    @field_validator("provider_limits", "prices", "queues")
    @classmethod
    def _check_lists(cls, text: str, info: ValidationInfo) -> str:
        _PARSERS[info.field_name or ""](text)
        return text

    @field_validator("journal")
    @classmethod
    def _check_journal(cls, journal: str) -> str:
        is_address = "://" in journal or POSTGRES_PREFIX.match(journal)
        return checked_dsn(journal) if is_address else journal

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _check_addresses(cls, text: str) -> str:
        for part in text.split(",") if text not in {"", "*"} else ():
            ip_network(part.strip())  # an address is a network of one
        return text

    @model_validator(mode="after")
    def _check_pollers(self) -> Self:
        if self.min_pollers > self.max_pollers:
            raise ValueError(
                f"RELAYLINE_MIN_POLLERS ({self.min_pollers}) is above "
                f"RELAYLINE_MAX_POLLERS ({self.max_pollers}): lower the first or raise the second"
            )
        return self

    @model_validator(mode="after")
    def _check_patience(self) -> Self:
        if self.patience_s < 2 * self.beat_s:
            raise ValueError(
                f"RELAYLINE_PATIENCE_S ({self.patience_s:g}) is less than two beats of "
                f"RELAYLINE_BEAT_S ({self.beat_s:g}): raise the first or lower the second"
            )
        return self

    @field_validator("retention_days", mode="before")
    @classmethod
    def _forever_if_empty(cls, value: object) -> object:
        return value or 0

    @property
    def work(self) -> frozenset[Work]:
        """Kinds of work that a worker takes."""
        return parse_work(self.queues)

    @property
    def retention(self) -> timedelta | None:
        """How long the events of an ended run are kept; None means forever."""
        return timedelta(days=self.retention_days) if self.retention_days else None

    @property
    def journal_dsn(self) -> str | None:
        """Address of the Postgres journal, password included; None for a SQLite file."""
        return self.journal if "://" in self.journal else None

    @property
    def journal_path(self) -> Path:
        """File of the SQLite journal, if the journal is one."""
        return Path(self.journal) if self.journal else self.data_dir / "journal.db"

    @property
    def redacted_names(self) -> tuple[str, ...]:
        """Names of the environment variables in `redact`."""
        return tuple(filter(None, map(str.strip, self.redact.split(","))))

    @property
    def own_files(self) -> tuple[Path, ...]:
        """The files and folders of Relayline itself, which no file tool may show."""
        names = ("temporal.db", "temporal.db-wal", "temporal.db-shm", "logs", "dev.json")
        at, ends = self.journal_path, ("", "-wal", "-shm", "-files")
        journal = () if self.journal_dsn else (at, beats_path(at))
        return (
            self.data_dir,
            *(self.data_dir / name for name in names),
            *(path.with_name(path.name + end) for path in journal for end in ends),
            *map(Path, filter(None, [self.payload_keys_file])),
            *(it for it in (self.secret_file, self.tenant_keys_file, self.tool_secrets) if it),
        )


def load_settings() -> Settings:
    """The settings of the environment.

    Raises:
        BadSettings: one of them has a value that it can't have.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:  # it concerns several settings: the message names them
            raise BadSettings(said) from error
        name = f"RELAYLINE_{first['loc'][0]}".upper()
        given = "set" if name in _SECRET else repr(first["input"])
        raise BadSettings(f"{name} is {given}: {said}") from None
