"""The protocols that are listened to: chat completions, and those of Claude, OpenAI and Gemini."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from relayline.activities.model.providers.wire.chat import Chat
from relayline.activities.model.providers.wire.gemini import Gemini
from relayline.activities.model.providers.wire.heard import Heard
from relayline.activities.model.providers.wire.messages import Messages
from relayline.activities.model.providers.wire.responses import Responses

Said = Iterator[tuple[str, Any]]
"""Events for the library: name and JSON."""


class Dialect(Protocol):
    """Hears one answer; passes on what the library reads."""

    def hear(self, name: str, told: Any) -> Said:
        """The events for the library that replace one of the provider's.

        Raises:
            WireError: the event is an error.
        """
        ...

    def close(self) -> Said:
        """The last events, once the answer has ended."""
        ...


_DIALECTS: tuple[tuple[str, Callable[[Heard], Dialect]], ...] = (
    ("/chat/completions", Chat),
    ("/messages", Messages),
    ("/responses", Responses),
    (":streamGenerateContent", Gemini),
)


def dialect_of(path: str, heard: Heard) -> Dialect | None:
    """The dialect spoken at this path of a URL; None if it is none of ours."""
    return next((make(heard) for end, make in _DIALECTS if path.endswith(end)), None)
