"""A conversation in the terminal: a line to the agent, its answer, the next line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping

from pydantic import JsonValue

from relayline.client import Conversation, Event, Run, Stream
from relayline.client.commands import Commands
from relayline.console.printable import printable
from relayline.contracts.command_answers import CommandReceipt

PROMPT = "> "


class Chat:
    """Reads lines, sends each as a message, and prints the answers as they come."""

    def __init__(self, begin: Callable[[str], Stream], run: Run | None) -> None:
        """Create a chat.

        Args:
            begin: Submits a conversation with this input.
            run: The conversation to continue; None: the first line begins one.
        """
        self._begin = begin
        self.run = run
        self._talk: Conversation | None = None

    def hold(self, lines: Iterator[str]) -> None:
        """Answer line after line until there are no more.

        Raises:
            RelaylineError: the server refuses, fails or does not answer.
        """
        try:
            for line in lines:
                if line.strip():
                    self._answer(line)
        finally:
            if self._talk is not None:
                self._talk.close()

    def _answer(self, line: str) -> None:
        """Show the turn of one line; Ctrl-C cancels it."""
        if self.run is None:
            with self._begin(line) as stream:
                self.run = stream.run
                self._show_whole(stream, stream, stream.run)
            self._talk = self.run.converse(after=stream.cursor)
            return
        if self._talk is None:
            self._talk = self.run.converse()
        receipt = self._talk.commands.message(line)
        self._show_whole(self._talk, self._talk.turn(receipt.command_id), self._talk.commands)

    def _show_whole(
        self, stream: Stream, events: Iterator[Event], commands: Commands[CommandReceipt]
    ) -> None:
        """Print a turn to its end, also one that is cancelled on the way."""
        try:
            self._show(stream, events)
        except KeyboardInterrupt:
            commands.cancel("interrupted in the chat", scope="turn")
            self._show(stream, _to_its_end(stream))

    def _show(self, stream: Stream, events: Iterator[Event]) -> None:
        """Print the text as it grows, and what else a person must know."""
        for event in events:
            for piece in stream.new_text():
                lead = "\n" if piece.replace else ""
                _write(lead + printable(piece.text))
            if said := _said(event.type, event.data, stream.run.id):
                _write(f"\n[{said}]\n")
        _write("\n")


def _to_its_end(stream: Stream) -> Iterator[Event]:
    """The rest of the turn."""
    for event in stream:
        yield event
        if event.type == "turn.completed":
            return


def _said(kind: str, data: Mapping[str, JsonValue], run_id: str) -> str:
    """A remark for people; empty for events that need none."""
    match kind:
        case "tool.started":
            return printable(f"{data.get('name')} …")
        case "approval.requested":
            return printable(f"waits for: relayline approve {run_id} {data.get('approval_id')}")
        case "input.requested":
            asked = data.get("request_id")
            return printable(f"{data.get('question')} relayline answer {run_id} {asked} TEXT")
        case "turn.completed" if data.get("status") != "completed":
            return printable(f"the turn {data.get('status')}: {_why(data)}".rstrip(": "))
        case "command.refused":
            return printable(str(data.get("reason")))
        case _:
            return ""


def _why(data: Mapping[str, JsonValue]) -> JsonValue:
    error = data.get("error")
    return error.get("message", "") if isinstance(error, dict) else ""


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def typed(prompt: str = PROMPT) -> Iterator[str]:
    """The lines that a person types, until the end of the input."""
    while True:
        try:
            yield input(prompt if sys.stdin.isatty() else "")
        except (EOFError, KeyboardInterrupt):
            return
