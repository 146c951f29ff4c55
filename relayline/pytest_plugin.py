"""The pytest plugin: the fixture `agent_runner`; nothing is loaded before a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from relayline.testing import AgentRunner


@pytest.fixture(scope="session")
def agent_runner() -> Iterator[AgentRunner]:
    """Runs agents in this process, see `relayline.testing`; one for all tests of the session."""
    from relayline.testing import AgentRunner  # noqa: PLC0415  it takes a second to load

    with AgentRunner() as runner:
        yield runner
