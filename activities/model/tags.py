"""Reasoning that a model writes into its text, between `<think>` and `</think>`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from relayline.activities.model.port import ModelPart, ReasoningPart, TextPart

OPEN, CLOSE = "<think>", "</think>"


class ThinkTags:
    """Splits the text of one answer, however it is cut in pieces.

    Only tags at the very beginning count; later ones are text. An answer that ends before the
    closing tag was all reasoning. Blanks around the tags are left out.
    """

    def __init__(self) -> None:
        self._held = ""
        self._looking_for: str | None = OPEN
        self._trim = False

    def split(self, part: ModelPart) -> Iterator[ModelPart]:
        """The parts that replace one of the provider's."""
        if isinstance(part, TextPart):
            yield from self._text(part.text)
            return
        if not isinstance(part, ReasoningPart):
            yield from self._rest()
        yield part

    def _text(self, text: str) -> Iterator[ModelPart]:
        self._held += text
        if self._looking_for == OPEN:
            start = self._held.lstrip()
            if start.startswith(OPEN):
                self._looking_for, self._held, self._trim = CLOSE, start[len(OPEN) :], True
            elif not OPEN.startswith(start):
                self._looking_for = None
        if self._looking_for == CLOSE:
            yield from self._reasoning()
        if self._looking_for is None:
            yield from self._said(TextPart, self._take(len(self._held)))

    def _reasoning(self) -> Iterator[ModelPart]:
        thought, tag, rest = self._held.partition(CLOSE)
        if tag:
            self._held = thought
            yield from self._said(ReasoningPart, self._take(len(thought)))
            self._looking_for, self._held, self._trim = None, rest, True
        else:
            kept = next(
                size for size in range(len(CLOSE), -1, -1) if thought.endswith(CLOSE[:size])
            )
            yield from self._said(ReasoningPart, self._take(len(thought) - kept))

    def _rest(self) -> Iterator[ModelPart]:
        """What was held back, at the end."""
        made = ReasoningPart if self._looking_for == CLOSE else TextPart
        yield from self._said(made, self._take(len(self._held)))

    def _said(
        self, made: type[TextPart] | type[ReasoningPart], text: str
    ) -> Iterator[TextPart | ReasoningPart]:
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        if text:
            yield made(text)

    def _take(self, size: int) -> str:
        taken, self._held = self._held[:size], self._held[size:]
        return taken
