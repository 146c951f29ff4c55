"""The settings of rates and quotas, a part of `Settings`."""

from __future__ import annotations

from pydantic import field_validator
from pydantic_settings import BaseSettings

from relayline.contracts.access.quotas import parse_quotas
from relayline.contracts.access.rates import parse_rates


class QuotaSettings(BaseSettings):
    """How much keys and tenants may use."""

    rates: str = ""
    """Requests that one key, or the subject of a token, may send to one API process, by class:
    `submit=20/s,steer=600/m,read=100/s`; a class without a rate has no limit."""
    tenant_rates: str = ""
    """The same for all keys of a tenant together."""
    quotas: str = ""
    """Quotas of each tenant that has none of its own (`PUT /v1/tenants/TENANT/quotas`):
    `open_runs=100,runs_per_day=5000,tokens_per_day=20000000,cost_per_day=50,open_streams=200`,
    `models=openai:* rehearsal`; what is not named has no limit."""

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
