"""Kinds of work that a worker process may take, each from task queues of its own."""

from __future__ import annotations

from enum import StrEnum


class Work(StrEnum):
    """What can be scaled apart; a run needs all three, from whichever processes."""

    RUNS = "runs"
    """Workflows, which decide, and housekeeping."""
    MODELS = "models"
    """Calls of providers' models."""
    TOOLS = "tools"
    """Tool calls, records, and the calls of the rehearsal model, which has no provider."""


BUILD_ID_PATTERN = r"^[A-Za-z0-9._-]{1,128}$"
"""What a build of the workers may be called."""
ALL_WORK = ",".join(Work)


class UnknownWork(ValueError):
    """A kind of work that there is not, or none at all; the message names those there are."""


def parse_work(text: str) -> frozenset[Work]:
    """The kinds in `runs,models,tools`; the same one twice is one.

    Raises:
        UnknownWork: an item is no kind, or there is no item.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = ", ".join(Work)
    for name in names:
        if name not in list(Work):
            raise UnknownWork(f"there are no queues {name[:100]!r}: use any of {known}")
    if not names:
        raise UnknownWork(f"a worker without queues has nothing to do: use any of {known}")
    return frozenset(map(Work, names))
