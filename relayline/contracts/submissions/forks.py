"""The answer to a fork."""

from __future__ import annotations

from relayline.contracts.answers import RunAccepted
from relayline.contracts.runs import ForkedFrom


class ForkAccepted(RunAccepted):
    """The receipt of a fork."""

    forked_from: ForkedFrom
