"""The filters of every list of runs: their query parameters, and the rows that they select."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple
from urllib.parse import parse_qsl

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from relayline.api.errors import InvalidField
from relayline.contracts.runs import RUN_ID_PATTERN, RunStatus
from relayline.journal.table import RunFilter

LABEL = "metadata."
"""Prefix of the parameters that filter by metadata."""
LABELS = f"{LABEL}KEY"
"""How the documentation names them all."""
MAX_LABELS = 16
MAX_KEY_CHARS = 64
MAX_VALUE_CHARS = 512
MAX_WORDS = 8
_Agent = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$")]
_Model = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]
_RunId = Annotated[str, StringConstraints(pattern=RUN_ID_PATTERN)]


class RunQuery(BaseModel):
    """Which runs to list: those that match every parameter."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    status: list[RunStatus] = []
    """Given more than once: any of these."""
    agent: _Agent | None = None
    model: _Model | None = None
    label: str | None = Field(default=None, alias=LABELS, max_length=MAX_VALUE_CHARS)
    """Runs whose metadata have exactly this value under KEY, for example `metadata.team=blue`; for
    up to 16 keys."""
    q: str | None = Field(default=None, max_length=200)
    """Up to 8 words; each begins a word of the title, the id or a metadata value. Case does not
    matter."""
    created_after: AwareDatetime | None = None
    """RFC 3339 with a time zone; this moment is included."""
    created_before: AwareDatetime | None = None
    """RFC 3339 with a time zone; this moment is not included."""
    batch: str | None = Field(default=None, min_length=1, max_length=128)
    """Runs of this batch."""
    parent: _RunId | None = None
    """Runs that this run has started."""
    root: _RunId | None = None
    """All runs below this one, which no other run has started."""
    forked_from: _RunId | None = None
    """Runs that are forks of this run."""
    conversation: bool | None = None
    """true: runs that were submitted with `open`; false: all others."""
    attention: bool | None = None
    """true: open runs with a known problem; false: all others."""
    open: bool | None = None
    """true: runs that have not ended; false: runs that have."""

    def selects(self, labels: Mapping[str, str]) -> RunFilter:
        """The rows that match, and have these labels.

        Raises:
            InvalidField: `q` has too many words.
        """
        words = tuple((self.q or "").split())
        if len(words) > MAX_WORDS:
            raise InvalidField(
                f"q: {len(words)} words, at most {MAX_WORDS} are allowed",
                field="q",
                limit=MAX_WORDS,
            )
        return RunFilter(
            statuses=frozenset(self.status),
            open=self.open,
            agent=self.agent,
            model=self.model,
            metadata=labels,
            words=words,
            batch=self.batch,
            parent=self.parent,
            root=self.root,
            forked_from=self.forked_from,
            conversation=self.conversation,
            attention=self.attention,
            created_after=self.created_after,
            created_before=self.created_before,
        )


def labels_of(parameters: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The metadata that query parameters ask for, by key; others are left out.

    Raises:
        InvalidField: a key or a value is too long, or there are too many.
    """
    found: dict[str, str] = {}
    for name, value in parameters:
        key = name.removeprefix(LABEL)
        if key == name:
            continue
        if not 0 < len(key) <= MAX_KEY_CHARS:
            raise InvalidField(
                f"{name[:100]}: a key of metadata has 1 to {MAX_KEY_CHARS} characters",
                field=name[:100],
                limit=MAX_KEY_CHARS,
            )
        if len(value) > MAX_VALUE_CHARS:
            raise InvalidField(
                f"{name}: {len(value)} characters, at most {MAX_VALUE_CHARS} are allowed",
                field=name,
                limit=MAX_VALUE_CHARS,
            )
        found[key] = value
    if len(found) > MAX_LABELS:
        raise InvalidField(
            f"{LABELS}: {len(found)} keys, at most {MAX_LABELS} are allowed",
            field=LABELS,
            limit=MAX_LABELS,
        )
    return found


class ListRequest(NamedTuple):
    """The top of a list: its newest runs that match."""

    wanted: RunFilter
    limit: int

    @classmethod
    def parse(cls, text: str, field: str) -> ListRequest:
        """The request in a query string of its own, such as `status=running&limit=20`.

        Args:
            text: The query string.
            field: The parameter that holds it, for errors.

        Raises:
            InvalidField: a parameter is unknown, repeated or malformed; it is named `field.name`.
        """
        given = parse_qsl(text, keep_blank_values=True)
        try:
            query = _ListQuery.model_validate(_by_name(given))
            return cls(query.selects(labels_of(given)), query.limit)
        except ValidationError as error:
            first = error.errors()[0]
            where = f"{field}.{first['loc'][0]}"
            raise InvalidField(f"{where}: {first['msg']}", field=where) from error
        except InvalidField as error:
            error.detail = f"{field}.{error.detail}"
            error.members["field"] = f"{field}.{error.members['field']}"
            raise


class _ListQuery(RunQuery):
    limit: int = Field(default=50, ge=1, le=100)


def _by_name(given: Iterable[tuple[str, str]]) -> Mapping[str, str | list[str]]:
    """The parameters but those of metadata.

    Raises:
        InvalidField: one is unknown or repeated.
    """
    known = {info.alias or name for name, info in _ListQuery.model_fields.items()}
    values: dict[str, str | list[str]] = {}
    seen: set[str] = set()
    for name, value in given:
        label = name.startswith(LABEL)
        if not label and name not in known:
            raise InvalidField(
                f"{name[:100]}: no such filter; there are {', '.join(sorted(known))}",
                field=name[:100],
                known=[*sorted(known)],
            )
        if name in seen and name != "status":
            raise InvalidField(f"{name[:100]}: given more than once", field=name[:100])
        seen.add(name)
        if name == "status":
            values[name] = [*values.get(name, ()), value]
        elif not label:
            values[name] = value
    return values
