"""What the API tells of its server to those who operate it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Health(BaseModel):
    """Whether the server is ready, and what is missing."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: Literal["ok", "unavailable"]
    parts: dict[str, str] = Field(default_factory=dict)
    """`ok` or the problem, by part: `journal`, `temporal`, `namespace`."""
    lacking: dict[str, str] = Field(default_factory=dict)
    """Kinds of work (`runs`, `models`, `tools`) that no worker takes, and why. The server still
    accepts runs and stays ready; new runs wait."""


class WorkerSeen(BaseModel):
    """A worker that Temporal has seen within about five minutes."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    identity: str
    """`PID@HOST/…`, new at each start of its process."""
    build: str | None = None
    """The build that it was started with, else what its code adds up to; null if it tells none."""
    work: tuple[str, ...]
    """Kinds of work that it takes: `runs`, `models`, `tools`."""
    seen_at: datetime
    """When it last asked for work: at least once a minute while it lives."""


class SystemLimits(BaseModel):
    """Limits of this server, as its settings have them."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    streams_per_client: int
    """Open streams of one client address, in each API process."""
    connections_per_client: int
    heartbeat_s: float
    """Seconds between comments on a silent stream."""
    body_bytes: int
    input_bytes: int
    """Of a run's input, in UTF-8."""
    metadata_keys: int


class SystemView(Health):
    """The server: `status`, `parts` and `lacking` as `/readyz` tells them, and what it is."""

    version: str
    build: str
    """Of the code of this API process, as `build` of a worker."""
    journal: str
    """`sqlite` or `postgres`."""
    namespace: str
    """Temporal's."""
    temporal_ui: str | None = None
    """Temporal's own page of the namespace; null if its address is not configured."""
    auth: tuple[str, ...]
    """How clients prove who they are; empty: authentication is off."""
    retention_days: float | None
    """Days for which the events of an ended run are kept; null: forever."""
    limits: SystemLimits
    providers: tuple[str, ...]
    """Providers of models that this process has a key or an address for; workers have an
    environment of their own."""
    open_streams: int
    """Of this process, the one that asks included if it is a stream."""
    workers: tuple[WorkerSeen, ...] | None
    """Newest first; null while Temporal does not answer."""
