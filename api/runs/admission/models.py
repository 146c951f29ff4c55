"""What a request may change of an agent: its model, settings and output schema."""

from __future__ import annotations

from typing import Protocol

from pydantic import JsonValue

from relayline.api.bodies import RequestedLimits
from relayline.api.errors import InvalidField
from relayline.api.setting_bodies import RequestedSettings
from relayline.catalog.model_settings import misfit_of
from relayline.catalog.models import UnknownModelName, parse_model
from relayline.catalog.schemas.output_schema import UnusableSchema, check_output_schema
from relayline.contracts.runs import AgentSpec


class Changes(Protocol):
    """What a request may change of its agent."""

    @property
    def model(self) -> str | None:
        """In place of the agent's own."""

    @property
    def settings(self) -> RequestedSettings | None:
        """On top of the agent's."""

    @property
    def limits(self) -> RequestedLimits | None:
        """On top of the agent's."""

    @property
    def output_schema(self) -> dict[str, JsonValue] | None:
        """In place of the agent's own."""


def with_model(agent: AgentSpec, model: str | None) -> AgentSpec:
    """The agent with that model in place of its own.

    Raises:
        InvalidField: the model is unknown, or the agent does not allow it.
    """
    if model is None:
        return agent
    try:
        parse_model(model)
    except UnknownModelName as error:
        raise InvalidField(f"model: {error}", slug="unknown-model", field="model") from error
    if agent.models is not None and model not in {agent.model, *agent.models}:
        allowed = [*dict.fromkeys((agent.model, *agent.models))]
        raise InvalidField(
            f"model: the agent {agent.name} does not allow {model!r}; it allows "
            f"{', '.join(allowed)}",
            slug="model-not-allowed",
            field="model",
            known=[*allowed],
        )
    return agent.model_copy(update={"model": model})


def with_settings(agent: AgentSpec, settings: RequestedSettings | None) -> AgentSpec:
    """The agent with those settings on top of its own.

    Raises:
        InvalidField: its model, or one of its fallbacks, can't take one of the settings; the field
            is named, and the limit where there is one.
    """
    if settings is not None:
        given = {name: getattr(settings, name) for name in settings.model_fields_set}
        agent = agent.model_copy(update={"settings": agent.settings.model_copy(update=given)})
    if misfit := misfit_of(agent.settings, agent.candidates):
        field = f"settings.{misfit.field}"
        raise InvalidField(
            f"{field}: {misfit.why}",
            slug="unsupported-setting",
            field=field,
            **({} if misfit.limit is None else {"limit": misfit.limit}),
        )
    return agent


def with_output_schema(agent: AgentSpec, schema: dict[str, JsonValue] | None) -> AgentSpec:
    """The agent with that schema of its answers in place of its own.

    Raises:
        InvalidField: no answer can be asked for by it.
    """
    if schema is None:
        return agent
    try:
        check_output_schema(schema)
    except UnusableSchema as error:
        named: dict[str, JsonValue] = {"field": "output_schema"}
        if error.limit is not None:
            named["limit"] = error.limit
        raise InvalidField(f"output_schema: {error}", slug=None, **named) from error
    return agent.model_copy(update={"output_schema": schema})
