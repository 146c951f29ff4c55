"""The model's text as it grows, as pieces that a program can print or patch. Pure."""

from __future__ import annotations

from typing import NamedTuple

from relayline.client.events import LOST, Event
from relayline.projections.rendered import Rendered
from relayline.projections.valid import REWOUND


class TextPiece(NamedTuple):
    """A change of one step's text.

    Keep one string per step, and for every piece set `shown[step]` to `text` if `replace`, else
    append `text`: it equals `Rendered.text(step)` after each event.
    """

    step: int
    """The model call whose text this is."""
    text: str
    replace: bool = False
    """False: `text` follows what was shown of this step. True: what was shown of it is void (a
    new attempt, or the stored message differs) and `text`, which may be empty, takes its place."""


class Fold:
    """What a person sees of a run, kept up to date event by event."""

    def __init__(self) -> None:
        self.rendered = Rendered()
        """After the newest event."""
        self._shown: dict[int, str] = {}
        self._changed: set[int] = set()
        """Steps whose text may differ from what was shown."""

    def take(self, event: Event) -> None:
        """Fold in one more event; `events.lost` starts over."""
        self.rendered = Rendered() if event.type == LOST else self.rendered.apply(event)
        if event.type in {LOST, REWOUND}:
            self._changed |= self._shown.keys()
        elif event.step is not None:
            self._changed.add(event.step)

    def pieces(self) -> list[TextPiece]:
        """What has changed of the texts since the last call, by step."""
        changed, self._changed = sorted(self._changed), set()
        return [piece for step in changed if (piece := self._piece(step))]

    def _piece(self, step: int) -> TextPiece | None:
        shown, text = self._shown.get(step, ""), self.rendered.text(step)
        self._shown[step] = text
        if text == shown:
            return None
        if text.startswith(shown):
            return TextPiece(step, text[len(shown) :])
        return TextPiece(step, text, replace=True)
