"""The settings of rates, quotas and files, a part of `Settings`."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from relayline.contracts.access.quotas import parse_quotas
from relayline.contracts.access.rates import parse_rates


class QuotaSettings(BaseSettings):
    """How much keys and tenants may use, and how large files may be."""

    rates: str = ""
    """Requests that one key, or the subject of a token, may send to one API process, by class:
    `submit=20/s,steer=600/m,read=100/s`; a class without a rate has no limit."""
    tenant_rates: str = ""
    """The same for all keys of a tenant together."""
    quotas: str = ""
    """Quotas of each tenant that has none of its own (`PUT /v1/tenants/TENANT/quotas`):
    `open_runs=100,runs_per_day=5000,tokens_per_day=20000000,cost_per_day=50,open_streams=200`,
    `file_bytes=1000000000,models=openai:* rehearsal`; what is not named has no limit."""

    max_file_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    """Largest file that is uploaded, or fetched for a model, in bytes."""
    file_memory_bytes: int = Field(default=256 * 1024 * 1024, ge=1024 * 1024)
    """Memory of a worker for files on their way to models, in bytes; a file takes three times its
    size, and calls that would need more wait."""

    @field_validator("rates", "tenant_rates")
    @classmethod
    def _check_rates(cls, text: str) -> str:
        parse_rates(text)
        return text

    @field_validator("quotas")
    @classmethod
    def _check_quotas(cls, text: str) -> str:
        parse_quotas(text)
        return text
