"""Kinds of work that a worker process may take; each has its own task queues."""

from __future__ import annotations

from enum import StrEnum


class Work(StrEnum):
    """Kinds of work that scale separately; a run needs workers for all three."""

    RUNS = "runs"
    """Workflows and housekeeping."""
    MODELS = "models"
    """Model calls to providers."""
    TOOLS = "tools"
    """Tool calls, journal records, and calls of the rehearsal model, which has no provider."""


BUILD_ID_PATTERN = r"^[A-Za-z0-9._-]{1,128}$"
"""Valid names for a build of the workers."""
ALL_WORK = ",".join(Work)


class UnknownWork(ValueError):
    """An unknown kind of work, or none; the message lists the known kinds."""


def parse_work(text: str) -> frozenset[Work]:
    """The kinds of work in a list such as `runs,models,tools`; duplicates are fine.

    Raises:
        UnknownWork: an item is unknown, or the list is empty.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = ", ".join(Work)
    for name in names:
        if name not in list(Work):
            raise UnknownWork(f"there are no queues {name[:100]!r}: use any of {known}")
    if not names:
        raise UnknownWork(f"a worker without queues has nothing to do: use any of {known}")
    return frozenset(map(Work, names))
