"""Every knob, with its unit. Read only by the composition roots: worker.py, api/app.py, cli.py."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Relayline's settings; each is also an environment variable `RELAYLINE_<NAME>`.

    Where Temporal is comes from Temporal's own configuration (`TEMPORAL_ADDRESS`,
    `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, TLS, profiles), see `temporalio.envconfig`.
    """

    model_config = SettingsConfigDict(env_prefix="RELAYLINE_", frozen=True, extra="ignore")

    data_dir: Path = Path(".relayline")
    """Where the embedded journal and Temporal keep their files."""
    journal: str = ""
    """Journal to use: a path of a SQLite file. Empty: `{data_dir}/journal.db`."""

    model: str = "rehearsal"
    """Model of the built-in agent."""
    catalog: str = ""
    """Module with the user's own agents and tools, e.g. `package.module`."""
    files_root: Path = Path()
    """The only folder that the file tools see."""
    allow_commands: bool = False
    """Offer the tool `run_command`."""
    fetch_allow: tuple[str, ...] = ()
    """Hosts that `fetch_url` may reach although they are private or loopback."""
    compatible_base_url: str = ""
    """Base URL of an OpenAI-compatible server, for models named `compatible:NAME`."""
    compatible_api_key: str = ""
    """Its key, if it wants one."""
    local_base_url: str = ""
    """Base URL of the local model's server; set by `relayline dev --local-model`."""

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=0, le=65535)
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Size of a request body."""
    max_input_bytes: int = Field(default=256 * 1024, ge=1)
    """Size of a run's input, UTF-8."""
    max_metadata_keys: int = Field(default=16, ge=0)
    max_streams_per_client: int = Field(default=64, ge=1)
    """Open streams per client address."""
    heartbeat_s: float = Field(default=15, gt=0)
    """Seconds between comments on a silent stream."""
    send_timeout_s: float = Field(default=20, gt=0)
    """Seconds a client may take to accept a chunk before its stream is closed; it resumes."""
    temporal_ui: str = ""
    """Base URL of the Temporal Web UI, for links."""

    drain_s: float = Field(default=120, gt=0)
    """Seconds that a stopping worker lets running calls finish."""
    max_activities: int = Field(default=200, ge=1)
    """Model and tool calls that one worker runs at a time."""
    max_cached_workflows: int = Field(default=1000, ge=0)
    """Runs that a worker keeps in memory; 0 replays each run's history at every task."""

    @property
    def journal_path(self) -> Path:
        """File of the SQLite journal."""
        return Path(self.journal) if self.journal else self.data_dir / "journal.db"
