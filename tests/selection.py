"""Which tests a run takes: the mark `stack`, set by what a test uses, and what was left out.

A test that uses a whole stack has the mark `stack`: by a fixture that gives one of `STACKS`, or, if
it starts one by itself, by `@pytest.mark.stack`. Whoever starts a stack calls `starting`, which
fails in a test without the mark.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Generator
from typing import Any

import pytest

STACKS = ("Cluster", "DevStack", "Pair", "Stand")
"""Types that stand for a whole stack: several processes that are started, and may be killed."""
STACK = re.compile(rf"\b({'|'.join(STACKS)})\b")
LEFT = ("stack", "slow")
"""Marks of what `make test` leaves to `make test-all`."""
LONG = ("chaos", "soak")
"""Marks of what takes minutes: left out of every run whose `-m` does not name them."""
_LEFT_OUT = pytest.StashKey[int]()
_running: list[pytest.Item] = []


class Unmarked(Exception):
    """A test starts a whole stack and has no mark that says so."""


def starting() -> None:
    """Say that a whole stack is about to start; outside of pytest anybody may.

    Raises:
        Unmarked: the running test has no mark `stack`.
    """
    if _running and not _running[-1].get_closest_marker("stack"):
        raise Unmarked(
            f"{_running[-1].nodeid} starts a whole stack: mark it with @pytest.mark.stack, or take "
            f"it from a fixture that says by its type that it is one of {', '.join(STACKS)}"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _running.append(item)
    try:
        return (yield)
    finally:
        _running.pop()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[_LEFT_OUT] = 0
    for item in items:
        if not item.get_closest_marker("stack") and _uses_stack(item):
            item.add_marker("stack")
    unnamed = [mark for mark in LONG if mark not in config.getoption("markexpr")]
    long = [item for item in items if any(map(item.get_closest_marker, unnamed))]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)
    config.stash[_LEFT_OUT] = 0


def _uses_stack(item: pytest.Item) -> bool:
    """Whether one of the test's fixtures, or of those that these use, gives a whole stack."""
    found: dict[str, Any] = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009  mypy
    functions = (inspect.unwrap(one.func) for several in found.values() for one in several)
    return any(STACK.search(str(it.__annotations__.get("return"))) for it in functions)


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        if any(map(item.get_closest_marker, LEFT)):
            item.config.stash[_LEFT_OUT] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of pytest-xdist tells the one that reports what it has left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(_LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every process has left out the same tests."""
    node.config.stash[_LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if left_out := config.stash.get(_LEFT_OUT, 0):
        terminalreporter.write_line(f"{left_out} stack and slow tests are left to make test-all")
